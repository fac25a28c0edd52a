"""Queues that go when nobody has used them for a while (`expires_ms`, RabbitMQ's `x-expires`).

To use a queue is to consume from it, to browse it, or to declare it as an operator. To publish to it is not: the
replies that nobody fetches any more are what this is for. The time counts from the last use, from the declaration, or
from the start of the broker, by the monotonic clock; nothing of it is on disk.

In memory: one entry in a heap for each queue that has the option, by the moment at which it is to be looked at. An
entry is never later than the queue's time; a queue that was used meanwhile gets a new one then. So a use costs one
entry in a dict, and a second in which no time is over costs a look at the heap's first.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

from segue.broker.clock import Clock

if TYPE_CHECKING:
    from segue.broker.queue import Queue

__all__ = ["IdleQueues"]


class IdleQueues:
    """See the module."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: dict[Queue, float] = {}
        self._entries: dict[Queue, tuple[int, int]] = {}  # number in the heap, and the option
        self._due: list[tuple[float, int, Queue]] = []
        self._numbers = count()

    def watch(self, queue: Queue) -> None:
        """From now on, or with another time than before. A queue without the option is watched no more."""
        if queue.options.expires_ms is None:
            self.forget(queue)
        elif queue not in self._used or self._entries[queue][1] != queue.options.expires_ms:
            self._put(queue, self._used.setdefault(queue, self._clock.monotonic()))

    def forget(self, queue: Queue) -> None:
        """It is not watched, or deleted."""
        if self._used.pop(queue, None) is not None:
            del self._entries[queue]  # what it has in the heap is passed over

    def used(self, queue: Queue) -> None:
        """Somebody has used a queue; one that is not watched is no error."""
        if queue in self._used:
            self._used[queue] = self._clock.monotonic()

    def expired(self, limit: int) -> list[Queue]:
        """Queues whose time is over, at most so many; they are not watched any more."""
        now = self._clock.monotonic()
        found: list[Queue] = []
        while self._due and self._due[0][0] <= now and len(found) < limit:
            _, number, queue = heapq.heappop(self._due)
            if queue not in self._entries or self._entries[queue][0] != number:
                continue
            if queue.dispatcher.consumers or queue.dispatcher.in_flight:
                self._used[queue] = now
            if self._ends(queue, self._used[queue]) <= now:
                self.forget(queue)
                found.append(queue)
            else:
                self._put(queue, self._used[queue])
        return found

    def _put(self, queue: Queue, used: float) -> None:
        assert queue.options.expires_ms is not None
        number = next(self._numbers)
        self._entries[queue] = number, queue.options.expires_ms
        heapq.heappush(self._due, (self._ends(queue, used), number, queue))

    def _ends(self, queue: Queue, used: float) -> float:
        assert queue.options.expires_ms is not None
        return used + queue.options.expires_ms / 1000
