"""Tests of segue.storage.checkpointer: when it is time, and what a failure leaves."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from segue.storage.api import Store
from segue.storage.catalog import Catalog
from segue.storage.errors import DatabaseDamagedError
from tests.faults.storage.driver import drain_all, fill, nothing, only, read_all, record, run_store, until
from tests.faults.storage.simulated_disk import Call, SimulatedDisk


@pytest.fixture
def disk(tmp_path: Path) -> SimulatedDisk:
    return SimulatedDisk(tmp_path)


def eio(what: str, path: str = "") -> Callable[[Call], Exception | None]:
    """A `fault`."""

    def fault(call: Call) -> Exception | None:
        broken = call.what == what and call.path.startswith(path)
        return OSError(errno.EIO, os.strerror(errno.EIO), call.path) if broken else None

    return fault


# -- when it is time


async def publish_slowly(store: Store) -> int:
    """How many checkpoints came by themselves while 40 batches were written."""
    for _ in range(40):
        await fill(store, 1, 2000)
        await until(lambda: not store.checkpointer.under_way)
    return store.checkpoints


@pytest.mark.parametrize(
    "option", [{"checkpoint_journal_bytes": 40_000}, {"hot_spill_bytes": 40_000}, {"checkpoint_interval_seconds": 0.0}]
)
def test_it_is_time_when_journal_memory_or_clock_say_so(disk: SimulatedDisk, option: dict[str, Any]) -> None:
    assert run_store(disk, publish_slowly, **option) >= 2


def test_otherwise_it_is_not(disk: SimulatedDisk) -> None:
    assert run_store(disk, publish_slowly, checkpoint_journal_bytes=1 << 30, hot_spill_bytes=1 << 30) == 0


def test_one_that_is_asked_for_comes_with_the_next_batch(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> int:
        await fill(store, 1)
        store.ask_checkpoint()
        await fill(store, 1)
        await until(lambda: not store.checkpointer.under_way)
        return store.checkpoints

    assert run_store(disk, body) == 1


def test_a_quiet_store_writes_none(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> int:
        await fill(store, 5)
        await until(lambda: store.checkpoints == 1)
        await trio.sleep(20)
        return store.checkpoints

    assert run_store(disk, body, clock=MockClock(rate=100), checkpoint_interval_seconds=1.0) == 1


def test_two_that_ask_at_once_both_get_one_that_is_new_enough(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> None:
        await fill(store, 20)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.checkpoint)
            await until(lambda: store.checkpointer.under_way)
            only(store)[0].append(record("late"))
            await store.checkpoint()
        assert only(store)[0].hot == {}

    run_store(disk, body)


# -- what a failure leaves


@pytest.mark.parametrize(
    ("what", "path"),
    [
        ("build", "segments/1"),
        ("execute_many", "segments/1"),
        ("commit", "segments/1"),
        ("sync_file", "segments/1"),
        ("rename", "segments/1"),
        ("sync_directory", "segments/1"),
        ("make_directory", "segments/1"),
        ("open_database", "segments/1"),
        ("execute_many", "catalog.db"),
    ],
)
def test_one_that_fails_anywhere_before_its_commit_leaves_everything_as_it_was(
    disk: SimulatedDisk, tmp_path: Path, what: str, path: str
) -> None:
    """Fault 26, of writing: nothing is lost, nothing is left lying about, and the next one succeeds."""

    async def body(store: Store) -> None:
        await fill(store, 30)
        disk.fault = eio(what, path)
        with pytest.raises(OSError, match="Input/output error"):
            await store.checkpoint()
        assert [name for name in disk.list("segments/1") if name.endswith(".db")] == []
        assert len(only(store)[0].hot) == 30
        disk.fault = lambda call: None
        await store.checkpoint()
        assert store.checkpoint_fault == ""
        assert disk.list("segments/1") == ["1-30.db"]
        disk.crash_at = len(disk.calls)

    run_store(disk, body)
    assert len(run_store(disk.copy(tmp_path / "after"), lambda store: read_all(only(store)[1]))) == 30


def test_a_catalog_that_contradicts_itself_fails_the_checkpoint_and_not_the_broker(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def damaged(*args: object) -> None:
        raise DatabaseDamagedError("catalog.db: database disk image is malformed")

    async def body(store: Store) -> int:
        await fill(store, 30)
        with monkeypatch.context() as patch:
            patch.setattr(Catalog, "_write", damaged)
            with pytest.raises(OSError, match="malformed"):
                await store.checkpoint()
        await fill(store, 1)
        return len(await drain_all(only(store)[1]))

    assert run_store(disk, body) == 31


def test_garbage_that_can_not_be_removed_is_said_and_removed_by_the_next_start(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> None:
        await fill(store, 30)
        await store.checkpoint()
        await drain_all(only(store)[1])
        disk.fault = eio("unlink", "segments")
        with pytest.raises(OSError, match="old files can't be removed"):
            await store.checkpoint()
        assert store.checkpoints == 2, "it counts all the same"

    run_store(disk, body)
    assert disk.list("segments/1") == ["1-30.db"]
    disk.fault = lambda call: None
    run_store(disk, nothing)
    assert disk.list("segments") == []


@pytest.mark.parametrize("drop", ["log", "cursor"])
def test_a_deletion_while_a_checkpoint_fails_is_not_undone_by_it(disk: SimulatedDisk, drop: str) -> None:
    async def body(store: Store) -> None:
        await fill(store, 30)
        log, cursor = only(store)
        fault = eio("commit", "segments")

        def drop_and_fail(call: Call) -> Exception | None:
            error = fault(call)
            if error is not None and store.cursors:
                (store.drop_log(log) if drop == "log" else store.drop_cursor(cursor))
            return error

        disk.fault = drop_and_fail
        with pytest.raises(OSError, match="Input/output error"):
            await store.checkpoint()
        disk.fault = lambda call: None
        await store.checkpoint()
        assert (len(store.logs), store.cursors) == (int(drop == "cursor"), {})
        assert store.hot_bytes == 0

    async def left(store: Store) -> tuple[int, int]:
        return len(store.logs), len(store.cursors)

    run_store(disk, body)
    assert run_store(disk, left) == (int(drop == "cursor"), 0)
    assert disk.list("segments") == []
