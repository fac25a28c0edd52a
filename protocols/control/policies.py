"""The requests about policies: checked by the rules of the settings, and carried out for all queues at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import trio

from segue.broker.policy_book import PolicyRow
from segue.broker.queue import Queue
from segue.broker.room import on_disk
from segue.broker.settings import InvalidPolicyError, check_policy_name, read_policy, show_policy
from segue.protocols.control.arguments import Arguments
from segue.protocols.control.frames import ControlError, ErrorCode

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.topic import DurableSubscription

__all__ = ["PolicyRequests"]

_A_STEP: Final = 64
"""Queues and subscriptions that get their options anew in one step: a millisecond with ten policies, and twenty with a
thousand."""


class PolicyRequests:
    """See the module. One for each connection."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def list(self) -> list[Mapping[str, Any]]:
        """Every policy, by name."""
        return [_shown(row) for row in self._node.policy_book.rows()]

    async def set(self, arguments: Arguments) -> Mapping[str, Any]:
        """Set a policy, and give the queues that are there what it says."""
        name = arguments.text("policy")
        given = arguments.values("keys")
        arguments.finish()
        try:
            check_policy_name(name)
            policy = read_policy(given)
        except InvalidPolicyError as error:
            raise ControlError(ErrorCode.BAD_REQUEST, str(error)) from error
        self._node.policy_book.set(name, policy)
        return {"policy": name, "changed": await self._apply()}

    async def delete(self, arguments: Arguments) -> Mapping[str, Any]:
        """Delete a policy that was set; queues do what the others say."""
        name = arguments.text("policy")
        arguments.finish()
        self._node.policy_book.delete(name)
        return {"policy": name, "changed": await self._apply()}

    async def _apply(self) -> int:
        """The policy is on disk first: who sees what it does sees it after a crash, too."""
        await on_disk(self._node)
        changed = 0
        node = self._node
        rest: Iterator[Queue | DurableSubscription] = chain(list(node.queues.values()), node.topics.durables())
        while some := list(islice(rest, _A_STEP)):
            for one in some:
                if isinstance(one, Queue):
                    changed += one.open and node.apply_policies(one)
                else:
                    changed += one.dispatcher.open and node.apply_policies_to_subscription(one)
            node.end_step()
            await trio.lowlevel.checkpoint()
        return changed


def _shown(row: PolicyRow) -> Mapping[str, Any]:
    return {
        "policy": row.name,
        "from": "command" if row.was_set else "settings",
        "hidden": row.hidden,
        **show_policy(row.policy),
    }
