"""Taking messages of a queue for a while, and settling them: acknowledged, given back, or held for longer.

A request that waits for messages is a *long poll*: it is answered as soon as there is one. When its client has gone,
or goes before the answer is all with the kernel, what it was given is back in the queue at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from segue.broker.errors import BrokerError, NotHeldError
from segue.broker.leases import Lease
from segue.broker.publication import message_id
from segue.protocols.http.failures import as_http_error
from segue.protocols.rest.v1.destinations import QueueNamed, existing_queue
from segue.protocols.rest.v1.message_view import MessageView, view
from segue.protocols.rest.v1.operation import Call, NoParameters
from segue.protocols.rest.v1.problems import Problem, problem_of

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = [
    "Acknowledgement",
    "Extension",
    "LeaseOrder",
    "LeaseView",
    "Release",
    "Settled",
    "SettledMessage",
    "Settlement",
    "Settlements",
    "Taken",
    "settle",
    "take",
]

_MESSAGES_MAX: Final = 1000
_LEASE_SECONDS_MAX: Final = 86_400
_WAIT_SECONDS_MAX: Final = 30
"""Proxies give up on an answer after a minute, as a rule."""
_DELAY_MS_MAX: Final = 100 * 36525 * 864_000

_LeaseSeconds = Annotated[float, Meta(ge=1, le=_LEASE_SECONDS_MAX)]
_LeaseId = Annotated[str, Meta(description="As it came with the message, or with its last extension.")]


class LeaseOrder(msgspec.Struct, forbid_unknown_fields=True):
    """What a consumer asks a queue for."""

    messages_max: Annotated[
        int, Meta(ge=1, le=_MESSAGES_MAX, description="So many messages, and some MiB, at most.")
    ] = 1
    lease_seconds: Annotated[_LeaseSeconds, Meta(description="What is not settled by then goes back to its place.")] = (
        60
    )
    wait_seconds: Annotated[
        float, Meta(ge=0, le=_WAIT_SECONDS_MAX, description="So long it waits for the first message.")
    ] = 0


class LeaseView(msgspec.Struct):
    """A message that is out with the consumer."""

    id: Annotated[str, Meta(description="What settles it.")]
    redelivered: Annotated[bool, Meta(description="Somebody may have had it before.")]
    message: MessageView


class Taken(msgspec.Struct):
    """What a consumer was given; nothing, when there was nothing."""

    leases: list[LeaseView]


class Acknowledgement(msgspec.Struct, tag_field="action", tag="ack", forbid_unknown_fields=True):
    """The message is done, and never comes again."""

    lease: _LeaseId


class Release(msgspec.Struct, tag_field="action", tag="release", forbid_unknown_fields=True):
    """The message goes back to its place, or comes again later."""

    lease: _LeaseId
    delay_ms: Annotated[int, Meta(ge=0, le=_DELAY_MS_MAX)] = 0


class Extension(msgspec.Struct, tag_field="action", tag="extend", forbid_unknown_fields=True):
    """The message is held for longer, counted from now, under a new id."""

    lease: _LeaseId
    lease_seconds: _LeaseSeconds = 60


Settlement: TypeAlias = Acknowledgement | Release | Extension


class Settlements(msgspec.Struct, forbid_unknown_fields=True):
    """What is to become of messages; each by itself."""

    settlements: Annotated[list[Settlement], Meta(min_length=1, max_length=_MESSAGES_MAX)]


class SettledMessage(msgspec.Struct, omit_defaults=True):
    """What became of one of them."""

    lease: Annotated[str, Meta(description="Of an extension the new id; else the one that was given.")]
    problem: Annotated[Problem | None, Meta(description="Why nothing has happened; left out when it has.")] = None


class Settled(msgspec.Struct):
    """What became of them, in their order."""

    settlements: list[SettledMessage]


def take(call: Call[QueueNamed, LeaseOrder]) -> None:
    """Give a consumer messages of a queue."""
    node, order, exchange = call.node, call.body, call.exchange
    queue = existing_queue(node, call.parameters.queue)

    def answer(leases: list[Lease]) -> None:
        call.answer(Taken([_shown(node, lease) for lease in leases]))

    taking = node.leases.take(queue, order.messages_max, order.lease_seconds, answer, wait_seconds=order.wait_seconds)
    exchange.when_ending(taking.give_up)
    exchange.when_lost(taking.give_up)


def settle(call: Call[NoParameters, Settlements]) -> None:
    """Settle messages, each by itself: that one can't be is an answer, and no failure of the request."""
    results = _Settling(call.node).settle(call.body.settlements)
    call.answer_when_durable(Settled(results))


class _Settling:
    """One request's settlements. Acknowledgements are gathered: of a thousand there is one range in the journal."""

    def __init__(self, node: Node) -> None:
        self._leases = node.leases
        self._done: dict[str, Lease] = {}

    def settle(self, settlements: Sequence[Settlement]) -> list[SettledMessage]:
        results = list(map(self._settle, settlements))
        self._leases.settle(self._done.values())
        return results

    def _settle(self, settlement: Settlement) -> SettledMessage:
        try:
            return SettledMessage(self._carry_out(settlement))
        except BrokerError as error:
            return SettledMessage(settlement.lease, problem_of(as_http_error(error)))

    def _carry_out(self, settlement: Settlement) -> str:
        if settlement.lease in self._done:
            raise NotHeldError(f"'{settlement.lease}' is acknowledged in this request already")
        lease = self._leases.lease(settlement.lease)
        if isinstance(settlement, Acknowledgement):
            self._done[lease.id] = lease
        elif isinstance(settlement, Release):
            self._leases.release(lease, settlement.delay_ms)
        else:
            self._leases.touch(lease, settlement.lease_seconds)
            return lease.id
        return settlement.lease


def _shown(node: Node, lease: Lease) -> LeaseView:
    shown = view(message_id(lease.queue, lease.seq), lease.record, lease.deliveries, node.clock)
    return LeaseView(lease.id, lease.redelivered, shown)
