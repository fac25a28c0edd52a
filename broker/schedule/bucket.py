"""A bucket: the messages that are due within one span of time, in a log of their own with one cursor.

Spans have six widths, each 64 times the one before: a second, a minute, an hour, three days, half a year, 34 years. A
message goes into the narrowest bucket that is not too far ahead, and is moved to a narrower one when its time comes
near: four moves for a year. So there are never more than some hundred buckets, however many messages wait.
"""

from __future__ import annotations

from typing import Any, Final

from segue.broker.errors import LimitReachedError
from segue.broker.schedule.scheduled_message import due_of
from segue.storage.api import Cursor, Log

__all__ = ["LEVELS", "Bucket", "definition_of_lost", "place", "span_of"]

LEVELS: Final = 6
_WIDTHS_MS: Final = tuple(1000 << 6 * level for level in range(LEVELS))
_NEAR: Final = 96
"""So many buckets of one width are ahead of now, at most: a bucket is moved down half its width before its time, and
what comes for it later than that goes where its messages go."""
_READ_AHEAD_MS: Final = 2500
"""The narrowest buckets are read so long before their time: a read from disk takes some milliseconds, but a tenth of a
second and more on a busy machine while a checkpoint writes. What is to come soon is read before one has moved it."""
_READ_BYTES_MAX: Final = 1 << 20
_GAPS_MAX: Final = 250_000
"""Cancelled messages among others, in one bucket: 4 MiB."""


def place(due_ms: int, now_ms: int) -> tuple[int, int]:
    """The level and the beginning of the bucket for a message that is due then."""
    level = 0
    while level < LEVELS - 1 and due_ms // _WIDTHS_MS[level] - now_ms // _WIDTHS_MS[level] >= _NEAR:
        level += 1
    return level, span_of(level, due_ms)


def span_of(level: int, due_ms: int) -> int:
    """The beginning of the bucket of a level."""
    return due_ms - due_ms % _WIDTHS_MS[level]


def definition_of_lost(frame: bytes) -> dict[str, Any]:
    """For a log of messages that wait which has lost its definition: a bucket from which all are moved on.

    Which clock they wait for is not known any more. The two differ only if the clock on the wall was ever set.
    """
    start_ms = span_of(LEVELS - 1, due_of(frame))
    return {"kind": "delayed", "name": "delayed", "clock": "wall", "level": LEVELS - 1, "start_ms": start_ms}


class Bucket:
    """See the module.

    Attributes:
        open: False once it is deleted: nothing may come into it any more.
        level: 0 for the narrowest.
        start_ms: nothing in it is due before.
        opens_ms: from then on it is read.
        out: numbers of what was read and is not settled.
    """

    __slots__ = ("_taken_over", "cursor", "level", "log", "open", "opens_ms", "out", "start_ms")

    def __init__(self, log: Log, cursor: Cursor, level: int, start_ms: int) -> None:
        self.open = True
        self.log = log
        self.cursor = cursor
        self.level = level
        self.start_ms = start_ms
        self.opens_ms = start_ms - (_WIDTHS_MS[level] // 2 if level else _READ_AHEAD_MS)
        self.out: dict[int, int] = {}
        self._taken_over = 0
        cursor.out.append(self.out)

    @property
    def size(self) -> int:
        """How many messages are in it, those that are not on disk yet included."""
        cursor = self.cursor
        unread = self.log.head - cursor.next - (0 if cursor.gaps is None else cursor.gaps.messages)
        return unread + len(cursor.returned) + len(self.out)

    @property
    def has_more(self) -> bool:
        """True when there is something to be read that is on disk."""
        return self.cursor.ready > 0

    def is_awaited(self) -> bool:
        """True when what is due later than its beginning has to wait for what is in it.

        That is what is on disk, and what other buckets have left here, but not what publishers bring in all the time.
        """
        return self.cursor.ready > 0 or self.log.durable < self._taken_over

    def take_over(self, frame: bytes) -> None:
        """Take a message from another bucket. Durable with the open batch."""
        self._taken_over = self.log.append(frame) + 1

    def is_current(self, now_ms: int) -> bool:
        """True while messages come to it that are due in the same moment, or nearly so."""
        return not self.level and self.opens_ms <= now_ms < self.start_ms + _WIDTHS_MS[0]

    @property
    def empty(self) -> bool:
        """True when nothing is in it, and nothing on its way; what is damaged stays."""
        return not self.size and not self.cursor.quarantined

    def read(self, limit: int) -> list[tuple[int, bytes]]:
        """The next messages with their numbers, at most `limit`; they are out then.

        Returns:
            An empty list when nothing is at hand; a listener of the cursor is called when that changes.
        """
        found: list[tuple[int, bytes]] = []
        cursor, size = self.cursor, 0
        while cursor.has_returned:
            if len(found) >= limit or size >= _READ_BYTES_MAX or (again := cursor.take_returned()) is None:
                break
            found.append((again[0], again[2]))
            size += len(again[2])
        else:
            if len(found) < limit:
                first, records = cursor.read(limit - len(found))
                found += enumerate(records, first)
        self.out.update(dict.fromkeys([seq for seq, _ in found], 1))
        return found

    def settle(self, seqs: list[int]) -> None:
        """These are done, or somewhere else, with the batch that is open now."""
        out = self.out
        if len(seqs) == len(out):
            out.clear()
        else:
            for seq in seqs:
                del out[seq]
        self.cursor.settle(seqs)

    def owes(self, seq: int) -> bool:
        """True while a message is in it."""
        cursor = self.cursor
        if seq < cursor.next:
            return seq in self.out or seq in cursor.returned
        return seq < self.log.durable and (cursor.gaps is None or seq not in cursor.gaps)

    def remove(self, seq: int) -> None:
        """A message that is owed is not to be delivered. Durable with the open batch.

        Raises:
            LimitReachedError: too many were removed from among others that stay; nothing has changed.
        """
        cursor = self.cursor
        if seq in self.out:
            self.settle([seq])
        elif seq in cursor.returned:
            cursor.drop_returned([seq])
        elif cursor.gaps is not None and len(cursor.gaps) >= _GAPS_MAX:
            raise LimitReachedError(f"{_GAPS_MAX} messages for the same time were cancelled: no more before it comes")
        else:
            cursor.settle_ahead([seq])

    def put_back(self, seqs: list[int]) -> None:
        """These were read too early."""
        self.cursor.give_back({seq: self.out.pop(seq) for seq in seqs})
