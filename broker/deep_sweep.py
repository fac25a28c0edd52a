"""The deep sweep: takes expired messages out of the middle of a queue, so that their room on disk comes back.

Messages at the head go as soon as they expire (`Dispatcher.sweep`), and no message is delivered after its deadline. But
one that lives for a year keeps all that stand behind it from being looked at, and they would take room for as long.

Theory of operation. What lies on disk is read once, a part of about 1 MiB at a time and slowly, and of each part it is
remembered when half of its messages will have expired, and when all. Nothing is done before the first of these: a
segment is only rewritten when three quarters of it are settled, and each message that goes by itself is a gap that the
cursor has to step over. Then the part is read again, and what has expired is settled ahead of the cursor, or moved to
the dead-letter queue. When all has expired and nobody wants it, it goes without being read.

So at most half of a part are expired messages, and a part is read again as often as it can be halved. Only messages
with deadlines of their own need this: where the queue alone has a time to live, they expire in their order.

In memory: some 200 bytes for each MiB on disk. A start begins anew. Nothing of it is on the path of a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import trio

from segue.broker.dispatcher import Dispatcher
from segue.broker.expiry import NEVER, Expiry
from segue.broker.levels import LEVEL, Levels
from segue.storage.api import READ_ERRORS, Cursor, Store

__all__ = ["DeepSweep"]

_PERIOD_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.25
"""After each read: 4 MiB a second, of all queues together. It is in no hurry, and others need the disk."""
_PART_BYTES: Final = 1 << 20
_UNREAD_BYTES_MIN: Final = 1 << 18
"""What is less at the end of a queue is left alone: to look at each small piece that comes to disk is not worth it."""
_SLICE: Final = 128
"""Messages that are moved to a dead-letter queue in one step."""
_GAPS_MAX: Final = 1 << 17
"""Ranges that are settled ahead of one cursor: half of what jobs may make of them."""
_AGAIN_MS: Final = 60_000
"""What could not be moved, or read, is tried again."""
_QUEUES_A_STEP: Final = 256


@dataclass(slots=True)
class _Part:
    """Messages that were read together. From `half_ms` on it is worth while to read them again."""

    first: int
    last: int
    half_ms: int
    latest_ms: int


@dataclass(slots=True)
class _Place:
    """What is known of one cursor's messages: everything below `upto` is in `parts`, rising, or has gone."""

    expiry: Expiry
    upto: int
    parts: list[_Part] = field(default_factory=list)
    due_ms: int = NEVER

    def keep(self, part: _Part) -> None:
        """Remember a part."""
        self.parts.append(part)
        self.parts.sort(key=lambda one: one.first)
        self.due_ms = min(self.due_ms, part.half_ms)

    def forget_below(self, seq: int) -> None:
        """The cursor has passed what is before it."""
        self.parts = [part for part in self.parts if part.last >= seq]
        self.upto = max(self.upto, seq)
        self._count()

    def take_due(self, now_ms: int) -> _Part:
        """A part that it is time for, and that is not remembered any more."""
        part = next(part for part in self.parts if part.half_ms <= now_ms)
        self.parts.remove(part)
        self._count()
        return part

    def _count(self) -> None:
        self.due_ms = min((part.half_ms for part in self.parts), default=NEVER)


class DeepSweep:
    """See the module."""

    def __init__(
        self,
        store: Store,
        dispatchers: Callable[[], Iterable[Dispatcher]],
        end_step: Callable[[], None],
        *,
        part_bytes: int = _PART_BYTES,
        unread_bytes_min: int = _UNREAD_BYTES_MIN,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        """See the constants; tests have smaller ones.

        Args:
            store: what is read.
            dispatchers: those whose messages expire.
            end_step: called when something was removed.
            part_bytes: how much is read at a time, roughly.
            unread_bytes_min: less than this at the end of a queue is left alone.
            pause_seconds: after each read.
        """
        self._store = store
        self._dispatchers = dispatchers
        self._end_step = end_step
        self._part_bytes = part_bytes
        self._unread_bytes_min = unread_bytes_min
        self._pause_seconds = pause_seconds
        self._places: dict[Cursor, _Place] = {}

    async def run(self) -> None:
        """Sweep until cancelled. Cancellation: between two steps."""
        while True:
            if not await self.look_everywhere():
                await trio.sleep(_PERIOD_SECONDS)

    async def look_everywhere(self) -> bool:
        """Read one part of each queue that needs it. Returns whether there was one."""
        known, self._places = self._places, {}
        read = False
        for number, (dispatcher, cursor, expiry) in enumerate(self._cursors()):
            place = known.get(cursor)
            if place is None or place.expiry is not expiry:
                place = _Place(expiry, cursor.next)
            self._places[cursor] = place
            if dispatcher.open and await self._look(dispatcher, cursor, place):
                read = True
                await trio.sleep(self._pause_seconds)
            elif number % _QUEUES_A_STEP == 0:
                await trio.lowlevel.checkpoint()
        return read

    def _cursors(self) -> list[tuple[Dispatcher, Cursor, Expiry]]:
        found = []
        for dispatcher in self._dispatchers():
            drawn_from, expiry = dispatcher.cursor, dispatcher.expiry
            cursors = [one for _, one in drawn_from.cursors()] if isinstance(drawn_from, Levels) else [drawn_from]
            if expiry is not None:
                found += [(dispatcher, cursor, expiry) for cursor in cursors if _is_mixed(cursor)]
        return found

    async def _look(self, dispatcher: Dispatcher, cursor: Cursor, place: _Place) -> bool:
        """Read a part that is due, or one that was never read. Returns whether there was one."""
        now_ms = place.expiry.now_ms()
        if place.upto < cursor.next or (place.parts and place.parts[0].last < cursor.next):
            place.forget_below(cursor.next)
        if cursor.gap_ranges >= _GAPS_MAX:
            return False
        if place.due_ms <= now_ms:
            await self._read_again(dispatcher, cursor, place, place.take_due(now_ms))
            return True
        if _bytes_from(cursor, place.upto, self._unread_bytes_min) < self._unread_bytes_min:
            return False
        first = place.upto
        place.upto = await self._read(dispatcher, cursor, place, first, cursor.log.ram_first)
        return place.upto > first

    async def _read_again(self, dispatcher: Dispatcher, cursor: Cursor, place: _Place, part: _Part) -> None:
        now_ms = place.expiry.now_ms()
        if part.latest_ms <= now_ms and dispatcher.bury is None:
            self._remove(dispatcher, cursor, _owed(cursor, part.first, part.last), [])
            return
        upto = await self._read(dispatcher, cursor, place, part.first, part.last + 1)
        if upto <= part.last:  # so much is not read at a time, or not read now
            again_ms = now_ms if upto > part.first else now_ms + _AGAIN_MS
            place.keep(_Part(upto, part.last, again_ms, part.latest_ms))

    async def _read(self, dispatcher: Dispatcher, cursor: Cursor, place: _Place, first: int, end: int) -> int:
        """Read about a part from `first` on, and remove what has expired if it is worth it. Returns where it ended."""
        try:
            read = await self._store.reader.read_range(cursor.log, max(first, cursor.next), end, self._part_bytes)
        except READ_ERRORS:
            return first  # who consumes is told; here it is tried again
        upto = min(max(first, read.upto), end)
        if not dispatcher.open:
            return upto
        deadline, now_ms = place.expiry.deadline, place.expiry.now_ms()
        records = {seq: record for begin, some in read.runs for seq, record in enumerate(some, begin)}
        owed = [seq for seq in _owed(cursor, first, upto - 1) if seq in records]
        deadlines = {seq: deadline(records[seq]) for seq in owed}
        expired = [seq for seq in owed if deadlines[seq] <= now_ms]
        stuck = False
        if 2 * len(expired) >= max(1, len(owed)):
            stuck = not await self._remove_all(dispatcher, cursor, expired, records)
            owed = [seq for seq in owed if deadlines[seq] > now_ms]
        if owed or stuck:
            rising = sorted(deadlines[seq] for seq in owed)
            half_ms = now_ms + _AGAIN_MS if stuck else rising[len(rising) // 2]
            place.keep(_Part(first, upto - 1, half_ms, max(rising, default=now_ms)))
        return upto

    async def _remove_all(
        self, dispatcher: Dispatcher, cursor: Cursor, expired: list[int], records: dict[int, bytes]
    ) -> bool:
        """False when not all can be moved now."""
        if dispatcher.bury is None:
            self._remove(dispatcher, cursor, expired, [])
            return True
        for at in range(0, len(expired), _SLICE):
            # Consumers have gone on meanwhile.
            some = [seq for seq in expired[at : at + _SLICE] if _is_owed(cursor, seq)]
            if not dispatcher.open:
                return True
            if not self._remove(dispatcher, cursor, some, [records[seq] for seq in some]):
                return False
            await trio.lowlevel.checkpoint()
        return True

    def _remove(self, dispatcher: Dispatcher, cursor: Cursor, seqs: list[int], records: list[bytes]) -> bool:
        done = dispatcher.remove_ahead(cursor, seqs, records)
        self._end_step()
        return done


def _is_mixed(cursor: Cursor) -> bool:
    """True when its messages may expire in another order than their own."""
    definition = cursor.log.definition
    return bool(definition.get("expiring")) or definition.get("kind") == LEVEL


def _is_owed(cursor: Cursor, seq: int) -> bool:
    return seq >= cursor.next and (cursor.gaps is None or seq not in cursor.gaps)


def _owed(cursor: Cursor, first: int, last: int) -> list[int]:
    """What of [first, last] was never handed out, and is not settled."""
    first = max(first, cursor.next)
    ranges = [(first, last)] if cursor.gaps is None else list(cursor.gaps.between(first, last))
    return [seq for begin, end in ranges for seq in range(begin, end + 1)]


def _bytes_from(cursor: Cursor, seq: int, enough: int) -> int:
    """Bytes on disk from a number on; no more are counted when there are enough."""
    size = 0
    for extent in reversed(cursor.log.extents):
        if extent.last < seq or size >= enough:
            break
        size += extent.bytes
    return size
