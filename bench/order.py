"""What the consumers have seen: is every message there, once, and in order.

A *stream* is what one producer sends to one queue. A queue is first in, first out, so the numbers that one consumer
gets of one stream rise, unless the broker delivers a message again. Over all consumers each number comes once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.bench.frames import NUMBER_DIGITS

__all__ = ["ConsumerOrder", "Run", "Sighting", "runs"]

_NUMBERS_PER_STREAM = 10**NUMBER_DIGITS

Run = tuple[int, int, int]
"""(run and stream, first number, count): messages of one stream that came one after the other."""


class Sighting:
    """Which messages have been seen, by any consumer. One octet a message is kept.

    Attributes:
        unique: how many different ones.
        duplicates: how many came again.
    """

    def __init__(self) -> None:
        self._seen: dict[int, bytearray] = {}
        self.unique = 0
        self.duplicates = 0

    def add(self, run: Run) -> int:
        """Mark the messages of a run; return how many of them are new."""
        stream, first, count = run
        seen = self._seen.setdefault(stream, bytearray())
        end = first + count
        if len(seen) < end:
            # Doubling, as a list grows: a stream of millions is extended a few dozen times.
            seen.extend(bytes(max(end, 2 * len(seen)) - len(seen)))
        fresh = seen.count(0, first, end)
        seen[first:end] = b"\1" * count
        self.unique += fresh
        self.duplicates += count - fresh
        return fresh

    def missing(self) -> int:
        """How many numbers have not come between the lowest and the highest of each stream."""
        return sum(_gaps(seen) for seen in self._seen.values())


class ConsumerOrder:
    """The order in which one consumer gets the messages of each stream.

    Attributes:
        out_of_order: how many came after a later one of the same stream.
    """

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self.out_of_order = 0

    def add(self, run: Run) -> None:
        """Compare a run with what came before it."""
        stream, first, count = run
        due = self._next.get(stream, 0)
        self.out_of_order += min(max(due - first, 0), count)
        self._next[stream] = max(due, first + count)


def runs(keys: Sequence[int]) -> Iterator[Run]:
    """Cut keys, in the order of their arrival, into runs of consecutive numbers.

    With one producer a queue, a whole read is one run, found by one comparison.
    """
    if not keys:
        return
    if keys[-1] - keys[0] == len(keys) - 1 and keys == list(range(keys[0], keys[0] + len(keys))):
        yield (*divmod(keys[0], _NUMBERS_PER_STREAM), len(keys))
        return
    start = 0
    for index in range(1, len(keys) + 1):
        if index == len(keys) or keys[index] != keys[index - 1] + 1:
            yield (*divmod(keys[start], _NUMBERS_PER_STREAM), index - start)
            start = index


def _gaps(seen: bytearray) -> int:
    lowest = seen.find(1)
    return seen.count(0, lowest, seen.rfind(1)) if lowest >= 0 else 0
