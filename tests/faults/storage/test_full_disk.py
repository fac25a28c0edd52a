"""The disk is full: nothing is confirmed that is not there, acknowledgements go on, and space comes back (17, 18)."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from segue.storage.api import Store
from tests.faults.storage.driver import drain_all, fill, only, read_all, record, run_store, until
from tests.faults.storage.simulated_disk import Call, SimulatedDisk, no_space


@pytest.fixture
def disk(tmp_path: Path) -> SimulatedDisk:
    return SimulatedDisk(tmp_path)


def test_a_checkpoint_without_room_loses_nothing_and_is_tried_again(disk: SimulatedDisk) -> None:
    """Fault 17."""

    async def body(store: Store) -> tuple[int, int]:
        await fill(store)
        disk.fault = no_space("segments", "catalog")
        with pytest.raises(OSError, match="No space left"):
            await store.checkpoint()
        assert "No space left" in store.checkpoint_fault
        log, cursor = only(store)
        assert (len(log.extents), len(log.hot)) == (0, 60)
        assert len(await read_all(cursor)) == 60
        disk.fault = lambda call: None
        await store.checkpoint()
        return len(log.hot), len(log.extents)

    assert run_store(disk, body) == (0, 1)
    assert disk.list("segments/1") == ["1-60.db"]


def test_what_a_checkpoint_without_room_has_begun_is_removed(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> list[str]:
        await fill(store)
        disk.fault = lambda call: no_space()(call) if call.path == "catalog.db" else None
        with pytest.raises(OSError, match="No space left"):
            await store.checkpoint()
        return disk.list("segments/1")

    assert run_store(disk, body) == []


def test_settled_messages_stay_settled_through_a_failed_checkpoint(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> None:
        await fill(store)
        disk.fault = no_space("segments", "catalog")
        log, cursor = only(store)
        await read_all(cursor)
        cursor.settle(list(range(11, 31)))
        for seq in range(11, 31):
            del cursor.out[0][seq]
        store.on_durable(lambda: None)
        with pytest.raises(OSError, match="No space left"):
            await store.checkpoint()
        assert set(log.hot) == {*range(1, 11), *range(31, 61)}
        assert store.hot_bytes == log.hot_bytes == sum(len(data) + 128 for data in log.hot.values())

    async def owed(store: Store) -> set[int]:
        return {seq for seq, _ in await read_all(only(store)[1])}

    run_store(disk, body)
    disk.fault = lambda call: None
    assert run_store(disk, owed) == {*range(1, 11), *range(31, 61)}


def test_acknowledgements_are_taken_into_the_files_in_reserve(disk: SimulatedDisk) -> None:
    """Fault 17: publishers are to be held, as the store says that it is congested."""

    async def body(store: Store) -> None:
        await fill(store, 400, 10)
        await until(lambda: store.journal.spares == 2)
        disk.fault = no_space()
        _, cursor = only(store)
        out = dict(await read_all(cursor))
        for _ in range(20):  # each a batch of a page: more than the 15 pages left of the first file
            seqs = [out.popitem()[0] for _ in range(10)]
            for seq in seqs:
                del cursor.out[0][seq]
            cursor.settle(seqs)
            await store.next_commit()
        await until(lambda: store.congested)
        assert store.congestion == "the disk has no room for another journal file"

    run_store(disk, body)


def test_a_batch_without_a_file_to_go_to_waits_for_space(disk: SimulatedDisk) -> None:
    """Fault 17: when even the reserve is used up. It is confirmed when there is room, without a restart."""

    async def body(store: Store) -> list[str]:
        await fill(store, 1, 10)
        await until(lambda: store.journal.spares == 2)
        disk.fault = no_space()
        log, _ = only(store)
        events: list[str] = []
        for number in range(4):  # half a file each
            log.append(record(f"{number}", 40_000))
            store.on_durable(lambda: events.append("confirmed"))
            store.flush()
            if number < 3:
                await store.next_commit()
        with trio.move_on_after(0.05):
            await store.next_commit()
        events.append("room")
        disk.fault = lambda call: None
        await store.next_commit()
        return events

    assert run_store(disk, body) == ["confirmed"] * 3 + ["room", "confirmed"]
    assert len(run_store(disk, lambda store: read_all(only(store)[1]))) == 5


def test_consumers_make_room_on_a_full_disk_by_draining(disk: SimulatedDisk) -> None:
    """Fault 17: segments that are settled go, although no whole checkpoint has room."""

    async def body(store: Store) -> list[str]:
        await fill(store)
        await store.checkpoint()
        await fill(store)
        await store.checkpoint()
        await fill(store)
        _, cursor = only(store)
        out = await read_all(cursor)
        first = [seq for seq, _ in out if seq <= 60]
        for seq in first:
            del cursor.out[0][seq]
        cursor.settle(first)
        await store.next_commit()
        disk.fault = no_space("segments")
        with pytest.raises(OSError, match="No space left"):
            await store.checkpoint()
        return disk.list("segments/1")

    assert run_store(disk, body) == ["61-120.db"]
    disk.fault = lambda call: None
    assert [seq for seq, _ in run_store(disk, lambda store: drain_all(only(store)[1]))] == list(range(61, 181))


def test_segments_removed_early_do_not_come_back_after_a_crash(disk: SimulatedDisk, tmp_path: Path) -> None:
    """The catalog still has the cursor before them, the journal has the rest."""

    async def body(store: Store) -> None:
        await fill(store)
        await store.checkpoint()
        _, cursor = only(store)
        await drain_all(cursor)
        await fill(store)
        disk.fault = no_space("segments")
        with pytest.raises(OSError, match="No space left"):
            await store.checkpoint()
        disk.fault = lambda call: None
        disk.crash_at = len(disk.calls)

    run_store(disk, body)
    after = disk.copy(tmp_path / "after")
    assert after.list("segments/1") == []
    assert [seq for seq, _ in run_store(after, lambda store: read_all(only(store)[1]))] == list(range(61, 121))


def test_deleting_a_queue_makes_room_on_a_full_disk(disk: SimulatedDisk, tmp_path: Path) -> None:
    """Fault 17: what the operator of a full disk will try. The deletion is in the journal, and stays done."""

    async def body(store: Store) -> None:
        await fill(store)
        await store.checkpoint()
        store.drop_log(only(store)[0])
        store.create_cursor(store.create_log({}), {})
        await fill(store)
        disk.fault = no_space("segments")
        with pytest.raises(OSError, match="No space left"):
            await store.checkpoint()
        assert disk.list("segments/1") == []
        disk.fault = lambda call: None
        disk.crash_at = len(disk.calls)

    async def look(store: Store) -> tuple[int, list[str]]:
        found = len(await read_all(only(store)[1]))
        await store.checkpoint()
        return found, store.recovery.faults

    run_store(disk, body)
    assert run_store(disk.copy(tmp_path / "after"), look) == (60, [])


def test_a_start_on_a_full_disk_serves_consumers_and_holds_publishers(disk: SimulatedDisk, tmp_path: Path) -> None:
    """Fault 18."""

    async def crash_with_messages(store: Store) -> None:
        await fill(store)
        disk.crash_at = len(disk.calls)

    run_store(disk, crash_with_messages)
    full = disk.copy(tmp_path / "full")
    full.fault = no_space()

    async def drain(store: Store) -> tuple[int, bool]:
        found = await drain_all(only(store)[1])
        await until(lambda: store.congested)
        return len(found), bool(store.congestion)

    assert run_store(full, drain, replay_memory_bytes_max=1000) == (60, True)
    full.fault = lambda call: None
    assert run_store(full, lambda store: read_all(only(store)[1])) == []


def test_a_clean_stop_on_a_full_disk_leaves_everything_to_the_next_start(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> None:
        await fill(store)
        disk.fault = no_space()

    run_store(disk, body)
    disk.fault = lambda call: None
    assert len(run_store(disk, lambda store: read_all(only(store)[1]))) == 60


def test_failed_checkpoints_are_tried_at_growing_intervals(disk: SimulatedDisk) -> None:
    """Nothing spins: each try may write a whole segment before it fails."""
    # Not faster: who waits looks every millisecond of this clock, and leaves SQLite's threads no turn with the GIL.
    clock = MockClock(rate=20)
    tries: list[float] = []

    def full(call: Call) -> Exception | None:
        if call.path.startswith("segments/"):
            tries.append(clock.current_time())
        return no_space("segments", "catalog")(call)

    async def body(store: Store) -> None:
        await fill(store)
        disk.fault = full
        await until(lambda: len(tries) > 5)
        disk.fault = lambda call: None
        await until(lambda: not store.checkpoint_fault)

    run_store(disk, body, clock=clock, checkpoint_interval_seconds=5.0)
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries[:6])]
    assert [pause >= least for pause, least in zip(pauses, (1, 2, 4, 8, 16), strict=True)] == [True] * 5
    assert disk.list("segments/1") == ["1-60.db"], "there is room again: the next try succeeds by itself"
