"""One case on a fresh broker: all loads on a queue in which nothing waits, and again while very much does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from segue.bench.comparison.arena import Arena
from segue.bench.http.cases import LOADS, STOMP, WAKE_UP, Case, Load
from segue.bench.http.clients import Conversation, consuming, publishing
from segue.bench.http.door import Door
from segue.bench.http.load import run_clients, until_over
from segue.bench.http.tally import Tally
from segue.bench.http.wake_up import run_long_polls

__all__ = ["Extent", "run_lap"]

_BATCH = 100
_CLIENTS = 8
_STOMP_WORDS = "publish --window 1000 --seconds {seconds:g}"


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured.

    Attributes:
        rounds: of all cases, one after the other.
        pieces: how often each load is put on at each depth: the report shows medians.
        seconds: of each.
        depth: messages that wait when it is deep.
        rest_seconds: after a queue was filled, for the checkpoint that brings all of it to its segments: that is what
            filling costs, and not what is measured next.
        cases: names of what is measured; None for all that are there.
    """

    rounds: int = 1
    pieces: int = 3
    seconds: float = 0.8
    depth: int = 1_000_000
    rest_seconds: float = 35.0
    cases: frozenset[str] | None = None

    def has(self, case: Case) -> bool:
        """Whether this case is wanted."""
        return case.available if self.cases is None else case.name in self.cases


def run_lap(arena: Arena, case: Case, extent: Extent) -> None:
    """Measure one case; at the end all messages have to be there once.

    Args:
        arena: whose broker runs, and is empty.
        case: what.
        extent: how much.
    """
    lap = _Lap(arena, case, extent)
    lap.warm_up()
    for _ in range(extent.pieces):
        lap.measure("shallow")
        lap.drain()
        if case.is_ours:
            lap.measure_stomp()
    if case.deep:
        lap.fill()
        time.sleep(extent.rest_seconds)
        for _ in range(extent.pieces):
            lap.measure("deep")
        lap.drain()
    lap.check()


class _Lap:
    def __init__(self, arena: Arena, case: Case, extent: Extent) -> None:
        self._arena = arena
        self._case = case
        self._extent = extent
        self._tally = Tally()
        self._door = self._new_door()
        # Nobody can wait on a queue in which messages wait: long polls have one beside it.
        self._idle_door = self._new_door()

    def warm_up(self) -> None:
        """What is done for the first time takes longer, and is not what is meant. Queues are made by it, too."""
        once = iter((True,))
        self._talk([publishing(self._idle_door, 1, self._tally, lambda: next(once, False))])
        self._talk([self._taking_all(self._idle_door)])
        for load in self._loads():
            self._run(load, self._extent.seconds / 2)
        self.drain()

    def measure(self, depth: str) -> None:
        """All loads, one after the other, at a depth that is called so."""
        seconds = self._extent.seconds
        for load in self._loads():
            self._arena.observe(f"{load.name}-{depth}", partial(self._run, load, seconds))
        if self._case.is_ours:
            polls = partial(run_long_polls, self._arena.peer.http_port, self._idle_door, self._tally, seconds)
            self._arena.observe(f"{WAKE_UP}-{depth}", polls)

    def measure_stomp(self) -> None:
        """What the broker does without HTTP, the same minute."""
        queue = self._arena.new_queues()
        values = self._arena.measure(STOMP, _STOMP_WORDS.format(seconds=2 * self._extent.seconds), queue)
        self._arena.drain(queue, values.get("confirmed", 0))

    def fill(self) -> None:
        """Until as many messages wait as are wanted."""
        end = self._tally.published + self._extent.depth

        def publisher() -> Conversation:
            return publishing(self._door, _BATCH, self._tally, lambda: self._tally.published < end)

        self._arena.observe("fill", lambda: self._talk([publisher() for _ in range(_CLIENTS)]))

    def drain(self) -> None:
        """Take all that waits."""
        self._arena.observe("drain", lambda: self._talk([self._taking_all(self._door) for _ in range(_CLIENTS)]))

    def check(self) -> None:
        """See that nothing was lost and nothing came twice."""
        counts = {"published": self._tally.published, "taken": self._tally.taken}
        self._arena.record("sum", counts, self._tally.faults())

    def _taking_all(self, door: Door) -> Conversation:
        return consuming(door, _BATCH, self._tally, lambda: True, settled=self._case.settles_at_once)

    def _new_door(self) -> Door:
        return self._case.door(self._arena.new_queues().destination.rpartition("/")[2])

    def _loads(self) -> list[Load]:
        return [load for load in LOADS if load.name in self._case.loads]

    def _run(self, load: Load, seconds: float) -> dict[str, Any]:
        goes_on = until_over(seconds)

        def conversation() -> Conversation:
            if load.does == "publish":
                return publishing(self._door, load.batch, self._tally, goes_on)
            return consuming(self._door, load.batch, self._tally, goes_on, settled=load.does == "get")

        return self._talk([conversation() for _ in range(load.clients)])

    def _talk(self, conversations: list[Conversation]) -> dict[str, Any]:
        """Put on a load; its figures have `confirmed` and `rate` of the messages that were published or settled."""
        before = self._tally.published + self._tally.taken
        figures = run_clients(self._arena.peer.http_port, conversations)
        confirmed = self._tally.published + self._tally.taken - before
        rate = round(confirmed / figures["seconds"], 1) if figures["seconds"] else 0.0
        return figures | {"confirmed": confirmed, "rate": rate}
