"""ActiveMQ's way to look at what is scheduled and to cancel it: messages to `ActiveMQ.Scheduler.Management`.

The header `AMQ_SCHEDULER_ACTION` says what is wanted: BROWSE (copies of the messages go to `reply-to`, each with its
name as `scheduledJobId`), REMOVE (the one that `scheduledJobId` names) or REMOVEALL; ACTION_START_TIME and
ACTION_END_TIME restrict the first and the last to what is due in a span of time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from segue.broker.headers import with_headers
from segue.broker.message import decode
from segue.broker.room import on_disk
from segue.broker.schedule.listing import Listing, find
from segue.broker.schedule.scheduled_message import ScheduleId
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["MANAGEMENT_DESTINATIONS", "SchedulerManagement", "SchedulerOrder", "read_order"]

_NAME: Final = "ActiveMQ.Scheduler.Management"
MANAGEMENT_DESTINATIONS: Final = frozenset({_NAME, f"/topic/{_NAME}", f"/queue/{_NAME}"})
_ACTIONS: Final = ("BROWSE", "REMOVE", "REMOVEALL")
_TIME: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_EVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class SchedulerOrder:
    """What is wanted.

    Attributes:
        action: one of BROWSE, REMOVE and REMOVEALL.
        identity: of REMOVE: which message; None when it is no name of ours, and so of none.
        from_ms, to_ms: of the others: what is due in this time, both included.
    """

    action: str
    identity: ScheduleId | None
    from_ms: int
    to_ms: int


def read_order(headers: Mapping[str, str]) -> SchedulerOrder:
    """Read the headers of a SEND to one of `MANAGEMENT_DESTINATIONS`.

    Raises:
        StompProtocolError: MISSING_HEADER, INVALID_HEADER.
    """
    action, name = headers.get("AMQ_SCHEDULER_ACTION"), headers.get("scheduledJobId")
    if action not in _ACTIONS:
        problem = f"'AMQ_SCHEDULER_ACTION' is one of {', '.join(_ACTIONS)}"
        raise StompProtocolError(ErrorCode.MISSING_HEADER if action is None else ErrorCode.INVALID_HEADER, problem)
    if action == "REMOVE" and name is None:
        raise StompProtocolError(ErrorCode.MISSING_HEADER, "REMOVE needs 'scheduledJobId'")
    if action == "BROWSE" and "reply-to" not in headers:
        raise StompProtocolError(ErrorCode.MISSING_HEADER, "BROWSE needs 'reply-to'")
    identity = None if name is None else ScheduleId.from_text(name)
    return SchedulerOrder(
        action, identity, _time(headers, "ACTION_START_TIME", 0), _time(headers, "ACTION_END_TIME", _EVER)
    )


class SchedulerManagement:
    """The target of such messages.

    Attributes:
        name: of the destination.
        open: it is always there.
    """

    name = _NAME
    open = True

    def __init__(self, node: Node, order: SchedulerOrder, reply: Callable[[bytes], object] | None) -> None:
        """`reply`: publishes what BROWSE finds."""
        self._node = node
        self._order = order
        self._reply = reply

    def note_expiring(self) -> None:
        """See `Queue`; nothing is kept here."""

    def note_grouped(self) -> None:
        """See `Queue`; nothing is kept here."""

    def check_room(self, messages: int, size: int) -> None:
        """See `Queue`; nothing is kept here."""

    def publish(self, record: bytes) -> None:
        """What is in the message does not matter; see `carry_out`."""

    async def carry_out(self) -> None:
        """Do what is wanted; what was removed is so on disk when this returns.

        Raises:
            BrokerError: it can't be done, or not all of it.
        """
        schedule, order = self._node.schedule, self._order
        if order.action == "REMOVE":
            found = None if order.identity is None else await find(schedule, order.identity)
            if found is not None:
                schedule.cancel(found)
        else:
            listing = Listing(schedule, from_ms=order.from_ms, to_ms=order.to_ms)
            while (some := await listing.chunk()) is not None:
                for one in some:
                    if self._reply is None:
                        schedule.cancel(one)
                    else:
                        record, name = one.message.record, str(one.message.identity)
                        said = {"scheduledJobId": name, "deliver-at": str(one.due_ms)}
                        now_ms = self._node.clock.now_ms()
                        self._reply(with_headers(decode(record), said, accepted_ms=now_ms))
                self._node.store.want()
                self._node.end_step()
        await on_disk(self._node)


def _time(headers: Mapping[str, str], name: str, default: int) -> int:
    text = headers.get(name)
    if text is None:
        return default
    if not _TIME.fullmatch(text):
        problem = f"'{quote(text)}' is no value for '{name}': it is milliseconds since 1970"
        raise StompProtocolError(ErrorCode.INVALID_HEADER, problem)
    return int(text)
