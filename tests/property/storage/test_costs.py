"""What depth and the number of queues cost: nothing, and one sync (DESIGN §3.4, invariants 9 and 12)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from segue.storage.api import Store
from segue.storage.catalog import Catalog
from tests.faults.storage.driver import only, read_all, record, run_store, until
from tests.faults.storage.simulated_disk import SimulatedDisk


def records_in_memory(store: Store) -> int:
    """Records that something in the store refers to."""
    count = sum(len(run.records) for run in store.batch.runs)
    for log in store.logs.values():
        count += len(log.hot) + len(log.spilling or {})
    for cursor in store.cursors.values():
        count += len(cursor.fetched) + sum(len(records) for _, records in cursor.window._runs)
    return count


async def most_records_in_memory(depth: int, store: Store) -> tuple[int, int]:
    """Publish so many messages, and drain them: the most records in memory while it does the one and the other."""
    log = store.create_log({})
    cursor = store.create_cursor(log, {})
    filling = draining = 0
    for number in range(depth // 100):
        for _ in range(100):
            log.append(record(f"{log.head}", 60))
        await store.next_commit()
        filling = max(filling, records_in_memory(store))
        if number % 10 == 9:
            await store.checkpoint()
    taken = 0
    while cursor.unread:
        first, records = cursor.read(50)
        draining = max(draining, records_in_memory(store))
        taken += len(records)
        cursor.settle(list(range(first, first + len(records))))
        if not records:
            store.want()
            await store.next_commit()
            await until(lambda: not cursor.window.reading)
    assert taken == depth
    return filling, draining


def test_memory_does_not_depend_on_depth(tmp_path: Path) -> None:
    """Invariant 12, counted in records."""
    most = {}
    for depth in (2_000, 20_000):
        (tmp_path / f"{depth}").mkdir()
        disk = SimulatedDisk(tmp_path / f"{depth}")
        most[depth] = run_store(disk, partial(most_records_in_memory, depth), cold_read_bytes=8_000)
    assert most[20_000] == most[2_000]
    assert most[20_000][0] <= 1_100


def test_a_replay_of_any_length_keeps_the_memory_bounded(tmp_path: Path) -> None:
    """What does not fit is brought to disk before the replay goes on."""
    disk = SimulatedDisk(tmp_path / "full")
    (tmp_path / "full").mkdir()

    async def publish(store: Store) -> None:
        log = store.create_log({})
        store.create_cursor(log, {})
        for _ in range(50):
            for _ in range(40):
                log.append(record(f"{log.head}", 100))
            await store.next_commit()
        disk.crash_at = len(disk.calls)

    async def look(store: Store) -> tuple[int, int, list[int]]:
        replayed = store.recovery.batches
        hot = store.hot_bytes
        return replayed, hot, [seq for seq, _ in await read_all(only(store)[1])]

    run_store(disk, publish, journal_file_bytes=1 << 20)
    replayed, hot, seqs = run_store(disk.copy(tmp_path / "after"), look, replay_memory_bytes_max=60_000)
    assert replayed == 50
    assert hot <= 60_000 + 40 * 300, "the mark, and one batch"
    assert seqs == list(range(1, 2001))


@pytest.mark.parametrize("logs", [1, 500])
def test_a_group_commit_costs_one_write_whatever_the_number_of_queues(tmp_path: Path, logs: int) -> None:
    disk = SimulatedDisk(tmp_path)

    async def body(store: Store) -> int:
        for number in range(logs):
            store.create_cursor(store.create_log({"n": number}), {})
        await store.next_commit()
        before = len(disk.calls)
        for log in store.logs.values():
            log.append(record("x"))
        store.append_to(tuple(store.logs.values()), record("y"))
        await store.next_commit()
        made = disk.calls[before:]
        assert {call.what for call in made} <= {"write_sync", "create", "rename", "sync_directory"}
        return sum(call.what == "write_sync" for call in made)

    assert run_store(disk, body, journal_file_bytes=1 << 20) == 1


def test_a_segment_is_whole_and_synced_before_the_catalog_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 9."""
    disk = SimulatedDisk(tmp_path)
    named: list[str] = []
    apply = Catalog.apply

    async def look_and_apply(catalog: Catalog, change, committed) -> None:  # type: ignore[no-untyped-def]
        for _, extent in change.segments:
            inode = disk._names.durable[extent.path]
            assert inode.synced == (tmp_path / extent.path).read_bytes()
            assert disk.size(extent.path) == extent.file_bytes
            named.append(extent.path)
        await apply(catalog, change, committed)

    async def body(store: Store) -> None:
        log = store.create_log({})
        store.create_cursor(log, {})
        for _ in range(3):
            for _ in range(50):
                log.append(record(f"{log.head}", 200))
            await store.checkpoint()

    monkeypatch.setattr(Catalog, "apply", look_and_apply)
    run_store(disk, body)
    assert named == ["segments/1/1-50.db", "segments/1/51-100.db", "segments/1/101-150.db"]
