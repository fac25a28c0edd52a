"""All cases in rounds, the plain queue at the beginning and at the end of each: a machine may change meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from segue.bench.comparison.arena import Arena
from segue.bench.comparison.machine import describe_machine
from segue.bench.comparison.records import Record
from segue.bench.features.cases import CASES, PLAIN, Case
from segue.bench.features.lap import Extent, run_lap
from segue.bench.peers.peer import Peer, PeerError

__all__ = ["run_campaign"]

# To accept the delayed messages, and to measure while they wait, takes less than so many times what filling the plain
# queue took, and so many seconds whatever the machine.
_DUE_FILLS = 6.0
_DUE_SECONDS = 15.0


def run_campaign(peer: Peer, extent: Extent, directory: Path, emit: Callable[[Record], None]) -> None:
    """Measure all cases that are wanted.

    Args:
        peer: Segue, not running; each case has it on an empty directory.
        extent: how much.
        directory: on the disk that is meant.
        emit: takes each record as it is made.
    """
    directory.mkdir(parents=True, exist_ok=True)
    about = {"depth": extent.depth, "rounds": extent.rounds, "pieces": extent.pieces, "messages": extent.messages}
    emit(Record("campaign", "machine", 1, asdict(describe_machine(directory)) | about))
    fill_seconds = 0.0
    for number in range(1, extent.rounds + 1):
        for case in (*CASES, *(case for case in CASES if case.name == PLAIN)):
            if extent.has(case):
                due = extent.due_seconds
                wait = _DUE_FILLS * fill_seconds + _DUE_SECONDS + extent.seconds if due is None else due
                seconds = _with_broker(peer, case, number, emit, extent, wait)
                fill_seconds = seconds if case.name == PLAIN else fill_seconds


def _with_broker(
    peer: Peer, case: Case, number: int, emit: Callable[[Record], None], extent: Extent, due_seconds: float
) -> float:
    arena = Arena(peer, number, emit, case.name)
    try:
        arena.begin()
        return run_lap(arena, case, extent, due_seconds)
    except PeerError as failure:
        arena.record("start", {}, str(failure))
        return 0.0
    finally:
        arena.end()
