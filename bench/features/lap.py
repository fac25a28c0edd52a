"""One case on a fresh broker: the queue is filled, used while all that waits, and drained."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from segue.bench import frames
from segue.bench.comparison.arena import Arena
from segue.bench.comparison.measure import resident_bytes
from segue.bench.features.cases import DELAY, PLAIN, URGENT, Case, Crowd
from segue.bench.link import Link
from segue.bench.target import HeaderList, Target

__all__ = ["Extent", "run_lap"]

_LATENCY_RATE = 1000
_DUE_RATE = 10_000
_DUE_DELAY_MS = 2000
# What a bound has dropped, and what consumers have taken before producers had sent as much: less than this.
_MARGIN = 0.05
_AHEAD = 20


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured.

    Attributes:
        rounds: of all cases, one after the other.
        depth: messages that wait.
        messages: that go through a deep queue at a time.
        pieces: how often that is measured, and in how many the drain is cut: the report shows medians.
        seconds: of the figures at a fixed rate.
        due_seconds: after which the delayed messages are all due; None for what filling a plain queue lets expect.
        idle_seconds: a drain from which nothing comes for so long has ended.
        cases: names of what is measured; None for all.
    """

    rounds: int = 1
    depth: int = 1_000_000
    messages: int = 80_000
    pieces: int = 3
    seconds: float = 4.0
    due_seconds: float | None = None
    idle_seconds: float = 5.0
    cases: frozenset[str] | None = None

    def has(self, case: Case) -> bool:
        """Whether this case is wanted."""
        return self.cases is None or case.name in self.cases


def run_lap(arena: Arena, case: Case, extent: Extent, due_seconds: float) -> float:
    """Measure one case; return how long the filling took.

    Args:
        arena: whose broker runs, and is empty.
        case: what.
        extent: how much.
        due_seconds: for `delay`: after which all messages are due.
    """
    queue = arena.new_queues()
    _declare(queue, case.queue_headers, extent.depth)
    queue = replace(queue, send_headers=case.send_headers)
    measure: Callable[[Arena, Case, Extent, Target], None] = _exchange_and_drain
    if case.name == DELAY:
        return _delay(arena, extent, queue, due_seconds)
    if case.name == URGENT:
        measure = _urgent
    filled = arena.measure("fill", f"publish --messages {extent.depth}", queue)
    measure(arena, case, extent, queue)
    _record_memory(arena)
    return float(filled.get("seconds", 0.0))


def _exchange_and_drain(arena: Arena, case: Case, extent: Extent, queue: Target) -> None:
    # What consumers take ahead of producers is missing in the drain.
    backlog = max(1, extent.messages // _AHEAD)
    for _ in range(extent.pieces):
        for crowd in case.crowds:
            words = f"e2e --over-depth --messages {extent.messages} --backlog {backlog} --consumers {crowd.consumers}"
            arena.measure(f"e2e-{crowd.name}", words, _for_crowd(queue, crowd))
    piece = int(extent.depth * (1 - _MARGIN)) // (extent.pieces * len(case.crowds))
    for _ in range(extent.pieces):
        for crowd in case.crowds:
            _drain(arena, crowd, queue, piece, extent.idle_seconds)
    if case.name == PLAIN:
        words = f"latency --rate {_LATENCY_RATE} --seconds {extent.seconds:g}"
        arena.measure("latency", words, arena.new_queues())


def _urgent(arena: Arena, case: Case, extent: Extent, queue: Target) -> None:
    """The consumer takes what is not urgent as fast as it can, meanwhile."""
    urgent = replace(queue, send_headers=(("priority", "9"),))
    arena.measure("latency", f"latency --rate {_LATENCY_RATE} --seconds {extent.seconds:g}", urgent)


def _delay(arena: Arena, extent: Extent, queue: Target, due_seconds: float) -> float:
    """All are due at once, after what is measured while they wait; what was delayed by 1 ms goes end to end."""
    due = time.time() + due_seconds
    later = replace(queue, send_headers=(("deliver-at", str(int(due * 1000))),))
    filled = arena.measure("fill", f"publish --messages {extent.depth}", later)
    other = arena.new_queues()
    for _ in range(extent.pieces):
        arena.measure("e2e-1", f"e2e --delay 1 --messages {extent.messages}", other)
    words = f"latency --rate {_DUE_RATE} --delay {_DUE_DELAY_MS} --seconds {extent.seconds:g}"
    arena.measure("lateness", words, other)
    time.sleep(max(due - time.time(), 0.0))
    piece = int(extent.depth * (1 - _MARGIN)) // extent.pieces
    for _ in range(extent.pieces):
        _drain(arena, Crowd("1", 1), queue, piece, extent.idle_seconds)
    _record_memory(arena)
    return float(filled.get("seconds", 0.0))


def _drain(arena: Arena, crowd: Crowd, queue: Target, messages: int, idle_seconds: float) -> None:
    words = f"consume --messages {messages} --consumers {crowd.consumers} --idle-seconds {idle_seconds:g}"
    arena.measure(f"drain-{crowd.name}", words, _for_crowd(queue, crowd))


def _for_crowd(queue: Target, crowd: Crowd) -> Target:
    return replace(queue, subscribe_headers=crowd.headers)


def _declare(queue: Target, headers: HeaderList, depth: int) -> None:
    """Make the queue with its options; a subscription does, which takes nothing from an empty queue."""
    link = Link(queue)
    try:
        given = [(name, value.replace("{depth}", str(depth))) for name, value in headers]
        link.request(frames.subscribe(0, queue.queue(0), "client-individual", 1, given), b"RECEIPT")
    finally:
        link.close()


def _record_memory(arena: Arena) -> None:
    arena.record("memory", {"rss_bytes": resident_bytes(arena.peer.pids())})
