"""The command `queue.publish`: one message of an operator, who can ask for what a client can ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from segue.broker.errors import LimitReachedError
from segue.broker.message_headers import InvalidHeaderError, header_lines
from segue.broker.pending import PendingError
from segue.broker.publication import Accepted, NewMessage, publish_to_queue
from segue.broker.queue_options import PRIORITY_MAX
from segue.broker.room import on_disk, until_answerable, until_let_go
from segue.broker.schedule.delayed import When
from segue.protocols.control.answer import Answer, Result
from segue.protocols.control.arguments import Arguments
from segue.protocols.control.frames import ControlError, ErrorCode

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["Publishing"]

_HELD_SECONDS_MAX: Final = 5.0
"""A checkpoint that is late takes seconds; a full disk takes an operator, who wants to be told."""
_DELAY_MS_MAX: Final = 100 * 36525 * 864_000
"""A hundred years, as for clients."""
_TIME_MS_MAX: Final = 253_402_300_799_999
"""The end of the year 9999."""


class Publishing:
    """See the module."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def publish(self, arguments: Arguments, answer: Answer) -> Result:
        """Accept a message; it is on disk when this returns."""
        queue, message = self._read(arguments)
        await self._room()
        done = self._told(queue, message, await self._accept(queue, message))
        await on_disk(self._node)
        return {"queue": queue, **done}

    def _read(self, arguments: Arguments) -> tuple[str, NewMessage]:
        """The name of the queue, and what is to go there."""
        name = arguments.name("queue", self._node.queues)
        body = arguments.octets("body")
        headers = arguments.pairs("headers")
        persistent = not arguments.flag("non_persistent")
        when = _read_when(arguments)
        ttl_ms = arguments.number("ttl_ms", 0, maximum=_DELAY_MS_MAX)
        priority = arguments.optional_number("priority", maximum=PRIORITY_MAX)
        group, dedup_id = arguments.text("group", ""), arguments.text("dedup_id", "")
        arguments.finish()
        self._check_size(body)
        try:
            lines = header_lines(
                f"/queue/{name}", headers, ttl_ms=ttl_ms, priority=priority, group=group, dedup_id=dedup_id
            )
        except InvalidHeaderError as error:
            flag = f" (--{error.said_by.removesuffix('_ms').replace('_', '-')})" if error.said_by else ""
            raise ControlError(ErrorCode.BAD_REQUEST, f"{error}{flag}") from error
        return name, NewMessage(lines, body, persistent, ttl_ms, when, dedup_id, marked=bool(ttl_ms or group))

    async def _accept(self, queue: str, message: NewMessage) -> Accepted:
        """It is asked again when what is remembered has been read; the queue may be another one then."""
        while True:
            try:
                return publish_to_queue(self._node, queue, [message])[0]
            except PendingError as pending:
                await until_answerable(self._node, pending)

    def _told(self, queue: str, message: NewMessage, accepted: Accepted) -> Result:
        """What became of a message: its name, or that of the one that it repeats, as far as it is known."""
        duplicate = {"duplicate": accepted.repeat} if message.dedup_id else {}
        if accepted.schedule_id:
            return {"schedule_id": accepted.schedule_id, **duplicate}
        if accepted.seq:
            return {"log": self._node.queue(queue).log.id, "seq": accepted.seq, **duplicate}
        return duplicate

    def _check_size(self, body: bytes) -> None:
        body_bytes_max = self._node.settings.limits.body_bytes_max
        if len(body) > body_bytes_max:
            raise LimitReachedError(f"the body has {len(body)} bytes, limits.body_bytes_max is {body_bytes_max}")

    async def _room(self) -> None:
        """Wait while publishers are held, but not for ever."""
        with trio.move_on_after(_HELD_SECONDS_MAX):
            await until_let_go(self._node)
        if self._node.held:
            reasons = "; ".join(self._node.pressure.reasons)
            raise ControlError(ErrorCode.HELD, f"publishers are held: {reasons}; the message was not accepted")


def _read_when(arguments: Arguments) -> When | None:
    delay_ms = arguments.number("delay_ms", 0, maximum=_DELAY_MS_MAX)
    time_ms = arguments.optional_number("deliver_at_ms", maximum=_TIME_MS_MAX)
    if delay_ms and time_ms is not None:
        raise ControlError(ErrorCode.BAD_REQUEST, "'delay_ms' and 'deliver_at_ms' both say when: one of them can hold")
    return When(delay_ms, time_ms) if delay_ms or time_ms is not None else None
