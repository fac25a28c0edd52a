"""The command `queue.publish`: one message of an operator, who can ask for what a client can ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from segue.broker.deduplication import Acceptance, DeduplicationId
from segue.broker.errors import LimitReachedError
from segue.broker.message import PERSISTENT, encode, prefix
from segue.broker.pending import PendingError
from segue.broker.queue_options import PRIORITY_MAX
from segue.broker.room import on_disk, until_answerable, until_let_go
from segue.broker.schedule.delayed import Delayed, When
from segue.protocols.control.answer import Answer, Result
from segue.protocols.control.arguments import Arguments
from segue.protocols.control.frames import ControlError, ErrorCode
from segue.protocols.control.message import header_block

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["Publishing"]

_HEADER_CHARACTERS_MAX: Final = 32 << 10
"""Half of what STOMP clients may send in a frame, so that any client can take it."""
_HELD_SECONDS_MAX: Final = 5.0
"""A checkpoint that is late takes seconds; a full disk takes an operator, who wants to be told."""
_DELAY_MS_MAX: Final = 100 * 36525 * 864_000
"""A hundred years, as for clients."""
_TIME_MS_MAX: Final = 253_402_300_799_999
"""The end of the year 9999."""


@dataclass(frozen=True, slots=True)
class _Message:
    """A message as it was asked for.

    Attributes:
        queue: its name.
        block: the headers of the record.
        flags: of the record.
        when: it is to be delivered later; None for now.
        ttl_ms: how long it may live from then on; 0 for ever.
        dedup_id: what makes a message a repeat; empty for a new one.
    """

    queue: str
    block: bytes
    body: bytes
    flags: int
    when: When | None
    ttl_ms: int
    dedup_id: str


class Publishing:
    """See the module."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def publish(self, arguments: Arguments, answer: Answer) -> Result:
        """Accept a message; it is on disk when this returns."""
        message = self._read(arguments)
        await self._room()
        if message.when is not None:
            done = await self._publish_later(message, message.when)
        elif message.dedup_id:
            done = await self._publish_once(message)
        else:
            queue = self._node.queue(message.queue)
            queue.note(record := self._record(message, self._node.clock.now_ms()))
            done = {"log": queue.log.id, "seq": queue.publish(record)}
        await on_disk(self._node)
        return {"queue": message.queue, **done}

    def _read(self, arguments: Arguments) -> _Message:
        name = arguments.name("queue", self._node.queues)
        body = arguments.octets("body")
        headers = arguments.pairs("headers")
        flags = 0 if arguments.flag("non_persistent") else PERSISTENT
        when = _read_when(arguments)
        ttl_ms = arguments.number("ttl_ms", 0, maximum=_DELAY_MS_MAX)
        priority = arguments.optional_number("priority", maximum=PRIORITY_MAX)
        group, dedup_id = arguments.text("group", ""), arguments.text("dedup_id", "")
        arguments.finish()
        said = {
            "expiration": str(ttl_ms) if ttl_ms else "",
            "priority": "" if priority is None else str(priority),
            "JMSXGroupID": group,
            "dedup-id": dedup_id,
        }
        self._check_size(body, [*headers, *said.items()])
        try:
            block = header_block(f"/queue/{name}", headers, len(body), [one for one in said.items() if one[1]])
        except ValueError as error:
            raise ControlError(ErrorCode.BAD_REQUEST, str(error)) from error
        return _Message(name, block, body, flags, when, ttl_ms, dedup_id)

    async def _publish_later(self, message: _Message, when: When) -> Result:
        if message.dedup_id:
            return self._told(message, await self._once(message, partial(self._publish_later_once, message, when)))
        target, record = self._for_later(message, when)
        slot = target.slot()
        return {"schedule_id": str(slot.identity(slot.accept(record)))}

    def _publish_later_once(self, message: _Message, when: When, identity: DeduplicationId) -> Acceptance:
        target, record = self._for_later(message, when)
        return target.publish_once(identity, record)

    def _for_later(self, message: _Message, when: When) -> tuple[Delayed, bytes]:
        target = Delayed(self._node, message.queue, [self._node.queue(message.queue)], when)
        target.note(record := self._record(message, target.due_ms(self._node.clock.now_ms())))
        return target, record

    async def _publish_once(self, message: _Message) -> Result:
        def publish(identity: DeduplicationId) -> Acceptance:
            queue = self._node.queue(message.queue)
            queue.note(record := self._record(message, self._node.clock.now_ms()))
            return queue.publish_once(identity, record)

        return self._told(message, await self._once(message, publish))

    async def _once(self, message: _Message, publish: Callable[[DeduplicationId], Acceptance]) -> Acceptance:
        """`publish` is called again when what is remembered has been read; the queue may be another one then."""
        identity = DeduplicationId(message.dedup_id)
        while True:
            try:
                return publish(identity)
            except PendingError as pending:
                await until_answerable(self._node, pending)

    def _told(self, message: _Message, acceptance: Acceptance) -> Result:
        """What became of a message with an id: its name, or that of the one that it repeats, as far as it is known."""
        duplicate = acceptance.repeat
        if acceptance.schedule_id:
            return {"schedule_id": acceptance.schedule_id, "duplicate": duplicate}
        if acceptance.seq:
            return {"log": self._node.queue(message.queue).log.id, "seq": acceptance.seq, "duplicate": duplicate}
        return {"duplicate": duplicate}

    def _record(self, message: _Message, visible_ms: int) -> bytes:
        """The message as one that can be had from `visible_ms` on."""
        expires_ms = visible_ms + message.ttl_ms if message.ttl_ms else 0
        return encode(*prefix(visible_ms, message.block, message.flags, expires_ms), message.body)

    def _check_size(self, body: bytes, headers: list[tuple[str, str]]) -> None:
        body_bytes_max = self._node.settings.limits.body_bytes_max
        if len(body) > body_bytes_max:
            raise LimitReachedError(f"the body has {len(body)} bytes, limits.body_bytes_max is {body_bytes_max}")
        if sum(len(name) + len(value) for name, value in headers) > _HEADER_CHARACTERS_MAX:
            raise LimitReachedError(f"the headers have more than {_HEADER_CHARACTERS_MAX} characters")

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
