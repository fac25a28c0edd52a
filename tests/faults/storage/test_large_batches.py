"""A batch that is written in several pieces is all there after a crash, or not at all."""

from __future__ import annotations

import random
from pathlib import Path
from typing import cast

import pytest

from segue.storage.api import Store
from tests.faults.storage.driver import record, run_store
from tests.faults.storage.sample import look_at
from tests.faults.storage.simulated_disk import Call, CrashModel, SimulatedCrash, SimulatedDisk

_SMALL = record("small")
_LARGE = [record(f"large {number}", 1_500_000 + number) for number in range(3)]
_PIECES = 3  # of 2 MiB, for 4.5 MB


async def _life(store: Store) -> None:
    log = store.create_log({"name": "q"})
    store.create_cursor(log, {"name": "q"})
    log.append(_SMALL)
    await store.next_commit()
    for data in (*_LARGE, _SMALL):
        log.append(data)
    await store.next_commit()


def _made_with_crash(root: Path, write: int) -> SimulatedDisk:
    """The disk on which `_life` has ended at a write, counted from 0."""
    root.mkdir()
    disk = SimulatedDisk(root)
    writes = 0

    def power_off(call: Call) -> Exception | None:
        nonlocal writes
        writes += call.what == "write_sync"
        disk.crashed = disk.crashed or writes > write
        return cast(Exception, SimulatedCrash()) if disk.crashed else None

    disk.fault = power_off
    run_store(disk, _life)
    return disk


def test_a_large_batch_comes_back_whole(tmp_path: Path) -> None:
    disk = SimulatedDisk(tmp_path)
    run_store(disk, _life)
    assert list(look_at(disk).records["q"].values()) == [_SMALL, *_LARGE, _SMALL]


@pytest.mark.parametrize("model", ["synced", "posix", "journal"])
@pytest.mark.parametrize("piece", range(_PIECES + 1))
def test_a_crash_between_its_pieces_leaves_all_of_it_or_nothing(tmp_path: Path, piece: int, model: str) -> None:
    disk = _made_with_crash(tmp_path / "made", 1 + piece)
    found = look_at(disk.materialise(tmp_path / "left", cast(CrashModel, model), random.Random(piece)))
    assert not found.refused
    owed = list(found.records["q"].values())
    whole = [_SMALL, *_LARGE, _SMALL]
    assert owed == whole if piece == _PIECES else owed in ([_SMALL], whole)


def test_what_follows_a_torn_large_batch_is_kept(tmp_path: Path) -> None:
    """The rest of the torn batch lies behind the new ones, and is taken neither for a batch nor for damage."""
    left = _made_with_crash(tmp_path / "made", 3).materialise(tmp_path / "left", "synced", random.Random(0))

    async def go_on(store: Store) -> None:
        (log,) = store.logs.values()
        log.append(_LARGE[0])
        await store.next_commit()
        left.crash_at = len(left.calls)

    run_store(left, go_on)
    found = look_at(left.materialise(tmp_path / "again", "synced", random.Random(0)))
    assert not found.refused
    assert list(found.records["q"].values()) == [_SMALL, _LARGE[0]]


def test_a_failed_piece_confirms_nothing(tmp_path: Path) -> None:
    disk = SimulatedDisk(tmp_path)
    confirmed: list[str] = []

    async def body(store: Store) -> None:
        log = store.create_log({"name": "q"})
        store.create_cursor(log, {"name": "q"})
        await store.next_commit()
        writes = sum(call.what == "write_sync" for call in disk.calls)

        def fault(call: Call) -> Exception | None:
            done = sum(call.what == "write_sync" for call in disk.calls)
            return OSError(5, "Input/output error") if call.what == "write_sync" and done == writes + 2 else None

        disk.fault = fault
        for data in _LARGE:
            log.append(data)
        store.on_durable(lambda: confirmed.append("large"))
        await store.next_commit()
        confirmed.append("next")

    with pytest.raises(BaseExceptionGroup, match=r"DiskFailureError|unhandled errors|Exceptions from Trio"):
        run_store(disk, body)
    assert confirmed == []
