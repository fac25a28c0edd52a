"""All brokers through all scenarios: rounds of the short figures, then the long ones once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from segue.bench.comparison.arena import Arena
from segue.bench.comparison.bare_write import measure_bare_write
from segue.bench.comparison.long_scenarios import deep_queue, idle_connections, many_queues, shallow_drain
from segue.bench.comparison.machine import describe_machine
from segue.bench.comparison.records import Record
from segue.bench.comparison.scenarios import DEEP, IDLE, MANY_QUEUES, ROUND_SCENARIOS, SHALLOW_DRAIN
from segue.bench.peers.peer import Peer, PeerError

__all__ = ["LONG_SCENARIOS", "Extent", "run_campaign"]

LONG_SCENARIOS = (DEEP, MANY_QUEUES, IDLE)

_BARE_WRITE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured.

    Attributes:
        rounds: of the short figures; the report shows medians.
        seconds: of each short figure, None for as long as each takes by itself.
        depth: messages on the deep queue.
        deep_seconds: limit for filling it, and for draining it.
        queues, each: of the many queues.
        connections: idle ones.
        settle_seconds: how long a broker is left alone before its memory is read.
        shallow: messages of the drain that the deep one is compared with.
        scenarios: names of what is measured; None for all.
    """

    rounds: int = 3
    seconds: float | None = None
    depth: int = 5_000_000
    deep_seconds: float = 600.0
    queues: int = 10_000
    each: int = 10
    connections: int = 1000
    settle_seconds: float = 10.0
    shallow: int = 250_000
    scenarios: frozenset[str] | None = None

    def has(self, scenario: str) -> bool:
        """Whether this figure is wanted."""
        return self.scenarios is None or scenario in self.scenarios


def run_campaign(peers: Sequence[Peer], extent: Extent, directory: Path, emit: Callable[[Record], None]) -> None:
    """Measure these brokers.

    Args:
        peers: none of them running.
        extent: how much.
        directory: on the disk that is meant, which is where the brokers keep their files.
        emit: takes each record as it is made.

    Raises:
        PeerError: one of them is not installed, which is found before anything is measured.
    """
    directory.mkdir(parents=True, exist_ok=True)
    described = {
        peer.name: {"title": peer.title, "version": peer.version(), "durability": peer.durability} for peer in peers
    }
    emit(Record("campaign", "machine", 1, asdict(describe_machine(directory)) | {"peers": described}))
    for number in range(1, extent.rounds + 1):
        _measure_disk(directory, number, emit)
        for peer in peers:
            _with_arena(peer, number, emit, partial(_run_round, extent=extent))
    for peer in peers:
        for scenario in LONG_SCENARIOS:
            if extent.has(scenario):
                _with_arena(peer, 1, emit, partial(_run_long, scenario=scenario, extent=extent))


def _measure_disk(directory: Path, number: int, emit: Callable[[Record], None]) -> None:
    written = measure_bare_write(directory, _BARE_WRITE_SECONDS)
    emit(Record("disk", "bare-write", number, {"write": written.as_dict()}))


def _with_arena(peer: Peer, number: int, emit: Callable[[Record], None], measure: Callable[[Arena], None]) -> None:
    arena = Arena(peer, number, emit)
    try:
        arena.begin()
        measure(arena)
    except PeerError as failure:
        # One broker that falls over is a result too: the others go on.
        arena.record("start", {}, str(failure))
    finally:
        arena.end()


def _run_round(arena: Arena, extent: Extent) -> None:
    for scenario in ROUND_SCENARIOS:
        if not extent.has(scenario.name):
            continue
        wanted = scenario if extent.seconds is None else scenario.shortened(extent.seconds)
        queues = arena.new_queues(wanted.queues)
        values = arena.measure(wanted.name, wanted.words, queues)
        if wanted.words.startswith("publish"):
            arena.drain(queues, values.get("confirmed", 0))
    if extent.has(SHALLOW_DRAIN):
        shallow_drain(arena, extent.shallow)


def _run_long(arena: Arena, scenario: str, extent: Extent) -> None:
    if scenario == DEEP:
        deep_queue(arena, extent.depth, extent.deep_seconds)
    elif scenario == MANY_QUEUES:
        many_queues(arena, extent.queues, extent.each)
    else:
        idle_connections(arena, extent.connections, extent.settle_seconds)
