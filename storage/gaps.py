"""What of a cursor is settled ahead of it: ranges of messages that were moved away before their turn came.

A job that takes some messages out of a deep queue leaves the others unread and in their places. What it took is
settled, though the cursor has not come so far: a *gap*, which the cursor steps over when it gets there. Two numbers for
a range, in arrays: a quarter of a million ranges take 4 MiB, and are copied for a checkpoint in a moment.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["Gaps"]

_NONE_AHEAD: Final = 1 << 62
_DROPPED_MIN: Final = 1024
"""Ranges that were passed stay in the arrays until there are so many, and half of them: to take each out at once would
move all the others each time."""


class Gaps:
    """Ranges that neither overlap nor touch, rising.

    Attributes:
        messages: how many numbers are in them.
    """

    __slots__ = ("_firsts", "_lasts", "_start", "messages")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts = array("q")
        self._lasts = array("q")
        self._start = 0  # what stands before it in the arrays is no longer here
        self.messages = 0
        for first, last in ranges:
            self.add(first, last)

    @classmethod
    def unpack(cls, data: bytes) -> Gaps:
        """What `pack` has made."""
        pairs = array("q", data)
        if sys.byteorder != "little":
            pairs.byteswap()
        gaps = cls()
        gaps._firsts, gaps._lasts = pairs[::2], pairs[1::2]
        gaps.messages = gaps._size(0, len(gaps))
        return gaps

    def pack(self) -> bytes:
        """Pairs (first, last), rising, as little-endian 64-bit numbers: of a quarter of a million in a moment."""
        pairs = array("q", bytes(2 * self._firsts.itemsize * len(self)))
        pairs[::2], pairs[1::2] = self._firsts[self._start :], self._lasts[self._start :]
        if sys.byteorder != "little":
            pairs.byteswap()
        return pairs.tobytes()

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self._firsts) - self._start

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts[self._start :], self._lasts[self._start :], strict=True)

    def __contains__(self, seq: int) -> bool:
        return self.end(seq) != seq

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Gaps) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def copy(self) -> Gaps:
        """The same ranges, to be kept as they are now."""
        other = Gaps()
        other._firsts = self._firsts[self._start :]
        other._lasts = self._lasts[self._start :]
        other.messages = self.messages
        return other

    def add(self, first: int, last: int) -> None:
        """Put a range in; some of it may be here already."""
        at = bisect_left(self._lasts, first - 1, self._start)
        to = bisect_right(self._firsts, last + 1, at)
        if at < to:
            first, last = min(first, self._firsts[at]), max(last, self._lasts[to - 1])
        self.messages += last - first + 1 - self._size(at, to)
        self._firsts[at:to] = array("q", (first,))
        self._lasts[at:to] = array("q", (last,))

    def drop_below(self, seq: int) -> None:
        """Forget what is below a number."""
        lasts, start = self._lasts, self._start
        if start < len(lasts) and self._firsts[start] < seq:
            past = bisect_left(lasts, seq, start)
            self.messages -= self._size(start, past)
            if past < len(lasts) and self._firsts[past] < seq:
                self.messages -= seq - self._firsts[past]
                self._firsts[past] = seq
            if past >= _DROPPED_MIN and past * 2 >= len(lasts):
                del self._firsts[:past], lasts[:past]
                past = 0
            self._start = past

    def end(self, seq: int) -> int:
        """The first number from `seq` on that is not in here."""
        at = bisect_left(self._lasts, seq, self._start)
        return self._lasts[at] + 1 if at < len(self._lasts) and self._firsts[at] <= seq else seq

    def ahead(self, seq: int) -> int:
        """The first number from `seq` on that is in here, or one that no log has."""
        at = bisect_left(self._lasts, seq, self._start)
        return max(seq, self._firsts[at]) if at < len(self._lasts) else _NONE_AHEAD

    def within(self, first: int, last: int) -> int:
        """How many numbers of [first, last] are in here."""
        at = bisect_left(self._lasts, first, self._start)
        to = bisect_right(self._firsts, last, at)
        if at >= to:
            return 0
        return self._size(at, to) - max(0, first - self._firsts[at]) - max(0, self._lasts[to - 1] - last)

    def outside(self, first: int, end: int, limit: int) -> list[int]:
        """At most `limit` numbers of [first, end) that are not in here, rising."""
        firsts, lasts = self._firsts, self._lasts
        at, past = bisect_left(lasts, first, self._start), len(lasts)
        found: list[int] = []
        while first < end and (room := limit - len(found)) > 0:
            found += range(first, min(end, first + room, firsts[at] if at < past else end))
            first = lasts[at] + 1 if at < past else end
            at += 1
        return found

    def between(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """What of [first, last] is not in here, as ranges."""
        while (begin := self.end(first)) <= last:
            first = min(self.ahead(begin), last + 1)
            yield begin, first - 1

    def _size(self, at: int, to: int) -> int:
        return sum(self._lasts[at:to]) - sum(self._firsts[at:to]) + to - at
