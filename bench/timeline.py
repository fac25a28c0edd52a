"""When each message of a producer was sent, or was due: what latencies are counted from."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Protocol

__all__ = ["DueTimes", "SendTimes", "Timeline"]


class Timeline(Protocol):
    """The times of a producer's messages. All times are CLOCK_MONOTONIC in nanoseconds."""

    def sent(self, first: int, count: int, now: int) -> None:
        """Note that these messages leave now."""

    def ages(self, first: int, count: int, now: int) -> Iterator[tuple[int, int]]:
        """The ages of these messages, as (nanoseconds, how many of that age)."""


class SendTimes:
    """Closed loop: a message's time is when it was handed to the kernel. Memory goes with blocks, not messages."""

    def __init__(self) -> None:
        self._firsts = array("q")
        self._times = array("q")

    def sent(self, first: int, count: int, now: int) -> None:
        self._firsts.append(first)
        self._times.append(now)

    def ages(self, first: int, count: int, now: int) -> Iterator[tuple[int, int]]:
        firsts = self._firsts
        block = bisect_right(firsts, first) - 1
        end = first + count
        while first < end and block >= 0:
            following = firsts[block + 1] if block + 1 < len(firsts) else end
            upto = following if following < end else end
            yield now - self._times[block], upto - first
            first = upto
            block += 1


class DueTimes:
    """Open loop: a message's time is when it was due, whether or not it could be sent then.

    A broker that stalls the producer pays for it: the messages that wait in the producer have an age too. Counting from
    the moment of sending would leave the worst out (coordinated omission).

    Args:
        start: when message 0 is due.
        interval: nanoseconds from one message of this producer to the next.
    """

    def __init__(self, start: int, interval: float) -> None:
        self._start = start
        self._interval = interval

    def sent(self, first: int, count: int, now: int) -> None:
        pass

    def ages(self, first: int, count: int, now: int) -> Iterator[tuple[int, int]]:
        for number in range(first, first + count):
            yield now - self.due(number), 1

    def due(self, number: int) -> int:
        """When message `number` has to be sent."""
        return self._start + int(number * self._interval)

    def due_by(self, now: int) -> int:
        """How many messages have to be sent by now."""
        return int((now - self._start) / self._interval) + 1 if now >= self._start else 0
