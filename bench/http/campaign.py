"""All cases in rounds, each with a broker of its own on an empty directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from segue.bench.comparison.arena import Arena
from segue.bench.comparison.machine import describe_machine
from segue.bench.comparison.records import Record
from segue.bench.http.cases import CASES, Case
from segue.bench.http.lap import Extent, run_lap
from segue.bench.peers.peer import Peer, PeerError
from segue.bench.replies import BrokerError

__all__ = ["run_campaign"]


def run_campaign(extent: Extent, directory: Path, emit: Callable[[Record], None]) -> None:
    """Measure all cases that are wanted.

    Args:
        extent: how much.
        directory: on the disk that is meant.
        emit: takes each record as it is made.

    Raises:
        PeerError: a broker is not installed, which is found before anything is measured.
    """
    directory.mkdir(parents=True, exist_ok=True)
    peers = {case.name: (case, case.peer(directory)) for case in CASES if extent.has(case)}
    about = {"depth": extent.depth, "rounds": extent.rounds, "pieces": extent.pieces, "seconds": extent.seconds}
    versions = {name: peer.version() for name, (_, peer) in peers.items()}
    emit(Record("campaign", "machine", 1, asdict(describe_machine(directory)) | about | {"versions": versions}))
    for number in range(1, extent.rounds + 1):
        for case, peer in peers.values():
            _with_broker(peer, case, number, emit, extent)


def _with_broker(peer: Peer, case: Case, number: int, emit: Callable[[Record], None], extent: Extent) -> None:
    arena = Arena(peer, number, emit, case.name)
    try:
        arena.begin()
        run_lap(arena, case, extent)
    except (BrokerError, PeerError) as failure:
        # One broker that falls over is a result too: the others go on.
        arena.record("start", {}, str(failure))
    finally:
        arena.end()
