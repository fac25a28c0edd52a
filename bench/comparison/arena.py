"""A broker under measurement: fresh queues, the load on them, and what it cost, as records."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from segue.bench.comparison.bench_command import run_bench
from segue.bench.comparison.measure import Observation
from segue.bench.comparison.records import Record
from segue.bench.peers.peer import Peer
from segue.bench.target import Target

__all__ = ["Arena"]

_DECLARE_SECONDS = 300.0
_WARM_UP_WORDS = "e2e --window 100 --backlog 2000 --seconds {seconds:g}"

# What the generator reports that a record keeps.
_KEPT = (
    "confirmed",
    "received",
    "unique",
    "duplicates",
    "out_of_order",
    "missing",
    "redelivered",
    "early",
    "publish_rate",
    "delivery_rate",
    "seconds",
    "confirm",
    "latency",
    "blocks",
    "generator_cpu_seconds",
)


class Arena:
    """One broker in one round.

    Args:
        peer: the broker; started and stopped here.
        round_number: for the records.
        emit: takes each record as it is made.
        name: whose records these are; the peer's without it.
    """

    def __init__(self, peer: Peer, round_number: int, emit: Callable[[Record], None], name: str | None = None) -> None:
        self.peer = peer
        self.name = name or peer.name
        self.round_number = round_number
        self._emit = emit
        self._queues = itertools.count(1)

    def begin(self) -> None:
        """Start the broker on an empty directory, and warm it up."""
        self.peer.stop()
        self.peer.wipe()
        self.peer.start()
        if self.peer.warm_up_seconds:
            run_bench(_WARM_UP_WORDS.format(seconds=self.peer.warm_up_seconds), self.new_queues())

    def end(self) -> None:
        """Stop the broker and remove its files."""
        self.peer.stop()
        self.peer.wipe()

    def new_queues(self, count: int = 1) -> Target:
        """Queues that nobody has used; fewer than asked for when the broker takes too long to make them."""
        name = f"bench-{next(self._queues)}"
        made = self.peer.declare(name, count, _DECLARE_SECONDS)
        return self.peer.target(name, made if count > 1 else 1)

    def measure(self, scenario: str, words: str, target: Target) -> dict[str, Any]:
        """Run a command of the load generator and record it with what it cost; return the values of the record."""

        def load() -> dict[str, Any]:
            figures = run_bench(words, target)
            return {name: figures[name] for name in (*_KEPT, "error") if name in figures}

        return self.observe(scenario, load)

    def observe(self, scenario: str, load: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Put a load on the broker and record what came out with what it cost; return the values of the record.

        Args:
            scenario: the figure's name.
            load: returns figures, with these names for what they have in common: `confirmed` or `unique` messages,
                `seconds`, `generator_cpu_seconds`, and `error`, empty when it went through.
        """
        print(f"{time.strftime('%T')}  {self.name:17} {scenario}", file=sys.stderr, flush=True)
        with Observation(self.peer) as observation:
            figures = load()
        assert observation.figures is not None
        error = figures.pop("error", "")
        values = figures | {"cost": asdict(observation.figures)}
        if values.get("seconds"):
            values["generator_share"] = round(values["generator_cpu_seconds"] / values["seconds"], 3)
        messages = figures.get("unique") or figures.get("confirmed") or 0
        if observation.figures.cpu_seconds:
            values["messages_per_cpu_second"] = round(messages / observation.figures.cpu_seconds, 1)
        self.record(scenario, values, error)
        return values

    def record(self, scenario: str, values: dict[str, Any], error: str = "") -> None:
        """Emit a record."""
        self._emit(Record(self.name, scenario, self.round_number, values, error))

    def drain(self, target: Target, messages: int) -> None:
        """Take off what a publish run left, so that the next run is measured on a broker with empty queues."""
        if messages:
            run_bench(f"consume --messages {messages} --idle-seconds 10 --seconds 120", target)
