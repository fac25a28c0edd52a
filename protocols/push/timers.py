"""When messages that wait are to be looked at again: one heap and one task for those of all push queues."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["Timers"]

_Call: TypeAlias = Callable[[], None]
_STALE_FACTOR: Final = 2
_STALE_MIN: Final = 1024
"""Times that nobody waits for any more, beyond which they are thrown out: they may be a day away."""


class Timers:
    """Each is known by the object that waits, and there is one for it at most. Times are by the clock of delays."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._heap: list[tuple[int, int, object]] = []
        self._waiting: dict[object, tuple[int, _Call]] = {}
        self._numbers = count()
        self._sooner = trio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def set(self, who: object, due_ms: int, call: _Call) -> None:
        """Call then, in place of what was set for it before."""
        self._waiting[who] = due_ms, call
        if not self._heap or due_ms < self._heap[0][0]:
            self._sooner.set()
        heapq.heappush(self._heap, (due_ms, next(self._numbers), who))
        if len(self._heap) > _STALE_FACTOR * len(self._waiting) + _STALE_MIN:
            self._heap = [entry for entry in self._heap if self._is_awaited(entry[0], entry[2])]
            heapq.heapify(self._heap)

    def cancel(self, who: object) -> None:
        """It waits no more."""
        self._waiting.pop(who, None)

    def look(self) -> float:
        """Call whom it is time for. Returns in how many seconds to look again; infinity for never."""
        now_ms = self._node.clock.now_ms()
        due: list[tuple[int, object]] = []
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, _, who = heapq.heappop(self._heap)
            due.append((due_ms, who))
        for due_ms, who in due:  # what they set for now again has its turn after all others
            if self._is_awaited(due_ms, who):
                self._waiting.pop(who)[1]()
        return (self._heap[0][0] - now_ms) / 1000 if self._heap else math.inf

    async def serve(self) -> None:
        """Look whenever it is time, until cancelled."""
        while True:
            self._sooner = trio.Event()
            seconds = self.look()
            self._node.end_step()
            with trio.move_on_after(seconds):
                await self._sooner.wait()

    def _is_awaited(self, due_ms: int, who: object) -> bool:
        return who in self._waiting and self._waiting[who][0] == due_ms
