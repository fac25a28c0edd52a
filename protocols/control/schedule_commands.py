"""The commands of the control protocol about the schedule: what waits for its time, and how it is cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from segue.broker.errors import NotFoundError
from segue.broker.names import normal
from segue.broker.room import on_disk
from segue.broker.schedule.listing import Found, Listing, find
from segue.broker.schedule.scheduled_message import ScheduleId
from segue.protocols.control.answer import Answer, Result
from segue.protocols.control.arguments import Arguments
from segue.protocols.control.frames import ControlError, ErrorCode

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["ScheduleCommands"]

_NO_LIMIT: Final = 1 << 62
_ROWS_A_LINE: Final = 200
_KINDS: Final = {"q": "queue", "t": "topic"}


class ScheduleCommands:
    """See the module.

    Attributes:
        by_name: the commands; each raises `ControlError` and `BrokerError`.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.by_name: Final[dict[str, Callable[[Arguments, Answer], Awaitable[Result]]]] = {
            "schedule.list": self._list,
            "schedule.cancel": self._cancel,
            "schedule.clear": self._clear,
        }

    async def _list(self, arguments: Arguments, answer: Answer) -> Result:
        """What waits, all of it or for one queue."""
        limit = arguments.number("limit", _NO_LIMIT, minimum=1)
        listing = self._listing(arguments)
        count = 0
        while count < limit and (found := await listing.chunk()) is not None:
            rows = [self._row(one) for one in found[: limit - count]]
            count += len(rows)
            for at in range(0, len(rows), _ROWS_A_LINE):
                await answer.items(rows[at : at + _ROWS_A_LINE])
        return {"count": count}

    async def _cancel(self, arguments: Arguments, answer: Answer) -> Result:
        """Cancel one message."""
        text = arguments.text("schedule_id")
        arguments.finish()
        identity = ScheduleId.from_text(text)
        if identity is None:
            raise ControlError(ErrorCode.BAD_REQUEST, f"{text[:100]!r} is not what a scheduled message is called")
        found = await find(self._node.schedule, identity)
        if found is None:
            raise NotFoundError(f"no scheduled message '{identity}': it was delivered, or cancelled")
        self._node.schedule.cancel(found)
        await on_disk(self._node)
        return {"cancelled": 1}

    async def _clear(self, arguments: Arguments, answer: Answer) -> Result:
        """Cancel all messages, or all that wait for one queue."""
        listing = self._listing(arguments)
        count = 0
        while (found := await listing.chunk()) is not None:
            for one in found:
                self._node.schedule.cancel(one)
            count += len(found)
            await on_disk(self._node)
        return {"cancelled": count}

    def _listing(self, arguments: Arguments) -> Listing:
        name = arguments.text("queue", "")
        arguments.finish()
        return Listing(self._node.schedule, target=f"q{normal(name)}" if name else "")

    def _row(self, found: Found) -> Result:
        message = found.message
        return {
            "schedule_id": str(message.identity),
            "due_ms": found.due_ms,
            "accepted_ms": self._node.clock.on_wall(message.accepted_ms),
            "targets": [{"kind": _KINDS[text[0]], "name": text[1:]} for text in message.targets.split("\n")],
            "bytes": len(message.record),
            "deliveries": message.deliveries,
        }
