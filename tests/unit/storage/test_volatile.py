"""Tests of segue.storage.volatile."""

from __future__ import annotations

from pathlib import Path

from segue.storage.api import Store
from segue.storage.log import RECORD_OVERHEAD
from tests.faults.storage.driver import nothing, record, run_store
from tests.faults.storage.simulated_disk import SimulatedDisk


def test_what_is_put_in_can_be_read_at_once_and_in_order(tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        log = store.create_log({}, journaled=False)
        cursor = store.create_cursor(log, {})
        assert log.append(record("a")) == 1
        log.append_all([record("b"), record("c")])
        assert cursor.read(2) == (1, [record("a"), record("b")])
        cursor.give_back({1: 1})
        assert cursor.take_returned() == (1, 1, record("a"))
        assert cursor.read(9) == (3, [record("c")])
        assert store.idle, "nothing of it is for the journal"

    run_store(SimulatedDisk(tmp_path), body)


def test_its_memory_is_counted_and_comes_back(tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        log = store.create_log({}, journaled=False)
        cursor = store.create_cursor(log, {})
        for _ in range(10):
            log.append(record("x"))
        assert store.hot_bytes == log.hot_bytes == 10 * (len(record("x")) + RECORD_OVERHEAD)
        cursor.read(3)
        cursor.settle([1, 3])
        assert store.hot_bytes == 8 * (len(record("x")) + RECORD_OVERHEAD)
        assert cursor.skip_to(8) == 4, "2 was handed out"
        assert sorted(log.hot) == [2, 8, 9, 10]
        cursor.settle([2])
        store.drop_log(log)
        assert (store.hot_bytes, store.logs, store.cursors) == (0, {}, {})

    run_store(SimulatedDisk(tmp_path), body)


def test_no_checkpoint_and_no_start_knows_of_it(tmp_path: Path) -> None:
    disk = SimulatedDisk(tmp_path)

    async def body(store: Store) -> None:
        kept = store.create_log({"name": "kept"})
        passing = store.create_log({"name": "passing"}, journaled=False)
        store.create_cursor(kept, {})
        store.create_cursor(passing, {})
        for log in (kept, passing):
            log.append(record("x", 5000))
        await store.checkpoint()
        assert (len(kept.hot), len(passing.hot)) == (0, 1)
        store.redefine(passing, {"name": "still passing"})
        store.drop_cursor(passing.cursors[0])
        await store.next_commit()

    async def names(store: Store) -> list[str]:
        return [log.definition["name"] for log in store.logs.values()]

    run_store(disk, body)
    run_store(disk, nothing)
    assert run_store(disk, names) == ["kept"]
