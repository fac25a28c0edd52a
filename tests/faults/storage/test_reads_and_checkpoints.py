"""Reads from disk while a checkpoint moves what they read, and cursors at the edges."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from segue.storage.api import Cursor, Store, open_store
from segue.storage.catalog import Catalog
from segue.storage.catalog_rows import CatalogChange
from tests.faults.storage.driver import OPTIONS, drain_all, fill, only, read_all, record, run_store, until
from tests.faults.storage.simulated_disk import SimulatedDisk


@pytest.fixture
def disk(tmp_path: Path) -> SimulatedDisk:
    return SimulatedDisk(tmp_path)


def test_loose_blocks_that_a_checkpoint_joins_while_they_are_read_are_not_passed_over(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are deleted in the catalog before the log is told where the messages are now."""
    write = Catalog._write
    committed = trio.Event()

    async def commit_and_be_slow_to_tell(catalog: Catalog, change: CatalogChange) -> dict[str, Any]:
        meta = await write(catalog, change)
        committed.set()
        await trio.sleep(0.05)
        return meta

    async def body(store: Store) -> list[int]:
        for _ in range(3):
            await fill(store, 5, 10)
            await store.checkpoint()
        cursor = await fill(store, 60, 200)
        monkeypatch.setattr(Catalog, "_write", commit_and_be_slow_to_tell)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.checkpoint)
            await committed.wait()
            found = [seq for seq, _ in await read_all(cursor)]
        assert not cursor.quarantined
        return found

    assert run_store(disk, body) == list(range(1, 76))
    assert disk.list("segments/1") == ["1-75.db"]


def test_a_checkpoint_that_is_cancelled_in_its_commit_leaves_no_catalog_without_segments(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon ends at any moment: the commit may go through, and then its segments have to be there."""

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with open_store(disk, OPTIONS, lambda: 0) as store:
                await fill(store, 60, 200)
                database = store.checkpointer._catalog._database
                commit = database.commit

                async def commit_and_be_cancelled() -> None:
                    scope.cancel()
                    await commit()

                monkeypatch.setattr(database, "commit", commit_and_be_cancelled)
                await store.checkpoint()

    trio.run(main)
    assert [seq for seq, _ in run_store(disk, lambda store: read_all(only(store)[1]))] == list(range(1, 61))


def test_returned_messages_that_lie_in_segments_come_back_in_order(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> list[tuple[int, int]]:
        cursor = await fill(store, 200, 50)
        await read_all(cursor)
        out = cursor.out.pop()
        cursor.give_back({seq: out[seq] for seq in sorted(out, reverse=True) if seq % 7 == 0})
        cursor.settle([seq for seq in out if seq % 7])
        await store.checkpoint()
        assert store.hot_bytes == 0
        await read_all(cursor)
        return list(cursor.out[-1].items())

    assert run_store(disk, body) == [(seq, 2) for seq in range(7, 201, 7)]


def test_a_purge_while_a_read_is_on_its_way_is_not_undone_by_it(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> list[int]:
        cursor = await fill(store, 200, 50)
        await store.checkpoint()
        log = cursor.log
        cursor._promise()
        store.flush()
        await store.next_commit()
        assert cursor.read(10) == (1, []), "the read begins"
        assert cursor.window.reading
        cursor.skip_to(150)
        await store.next_commit()
        await until(lambda: store.reader.reads > 0)
        assert log.durable == 201
        return [seq for seq, _ in await read_all(cursor)]

    assert run_store(disk, body) == list(range(150, 201))


def test_who_waits_for_a_read_is_told_when_its_window_is_thrown_away_meanwhile(disk: SimulatedDisk) -> None:
    """Of 300 consumers of deep queues, those were never served again whose read stood in line at that moment."""

    async def body(store: Store) -> list[int]:
        cursor = await fill(store, 200, 50)
        await store.checkpoint()
        cursor._promise()
        await store.next_commit()
        told = trio.Event()
        cursor.listener = told.set
        assert cursor.read(10) == (1, []), "the read stands in line"
        cursor.window.clear()  # as a read for another cursor does when there is too much in all windows
        with trio.fail_after(60):
            await told.wait()
        return [seq for seq, _ in await read_all(cursor)]

    assert run_store(disk, body) == list(range(1, 201))


def test_a_purge_of_returned_messages_while_one_is_fetched_leaves_none(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> None:
        cursor = await fill(store, 100, 50)
        await read_all(cursor)
        cursor.give_back(cursor.out.pop())
        await store.checkpoint()
        assert cursor.take_returned() is None
        assert cursor.fetching
        cursor.drop_returned(list(cursor.returned))
        await until(lambda: not cursor.fetching)
        assert (cursor.take_returned(), cursor.ready, len(cursor.quarantined)) == (None, 0, 0)

    run_store(disk, body)
    assert run_store(disk, lambda store: read_all(only(store)[1])) == []


def test_a_log_that_is_deleted_while_it_is_read_troubles_nobody(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> list[str]:
        faults: list[str] = []
        store.on_fault = lambda log, text: faults.append(text)
        cursor = await fill(store, 200, 50)
        await store.checkpoint()
        await read_all(cursor)
        cursor.give_back(cursor.out.pop())
        cursor.listener = lambda: faults.append("a deleted cursor was told")
        assert cursor.take_returned() is None
        store.drop_log(cursor.log)
        await store.checkpoint()
        await until(lambda: store.reader.reads > 0)
        return faults

    assert run_store(disk, body) == []
    assert disk.list("segments") == []


def test_the_space_of_a_deleted_log_comes_back_in_a_quiet_store(disk: SimulatedDisk) -> None:
    """Nothing else changes after the deletion: the checkpoint comes by itself."""

    async def body(store: Store) -> None:
        cursor = await fill(store, 200, 50)
        await store.checkpoint()
        assert disk.list("segments/1") == ["1-200.db"]
        store.drop_log(cursor.log)
        await store.next_commit()
        await until(lambda: disk.list("segments") == [])

    run_store(disk, body, checkpoint_interval_seconds=0.3)


def test_cursors_of_one_log_go_at_their_own_pace(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> dict[str, list[int]]:
        log = store.create_log({})
        slow, fast = (store.create_cursor(log, {"name": name}) for name in ("slow", "fast"))
        taken: dict[str, list[int]] = {"slow": [], "fast": [], "late": []}
        for _ in range(4):
            for _ in range(50):
                log.append(record(f"{log.head}", 50))
            await store.next_commit()
            taken["fast"] += [seq for seq, _ in await drain_all(fast)]
            await store.checkpoint()
        late = store.create_cursor(log, {"name": "late"}, at_head=True)
        log.append(record("last"))
        await store.next_commit()
        for name, cursor in (("slow", slow), ("fast", fast), ("late", late)):
            taken[name] += [seq for seq, _ in await drain_all(cursor)]
        await store.checkpoint()
        assert (store.hot_bytes, log.extents) == (0, [])
        return taken

    everything = list(range(1, 202))
    assert run_store(disk, body) == {"slow": everything, "fast": everything, "late": [201]}


def test_a_cursor_at_the_start_of_an_old_log_begins_with_the_first_message_that_is_still_owed(
    disk: SimulatedDisk,
) -> None:
    async def body(store: Store) -> tuple[list[int], list[int]]:
        first = await fill(store, 100, 50)
        await read_all(first)
        out = first.out.pop()
        settled = [*range(1, 31), 50]
        first.settle(settled)
        first.give_back({seq: out[seq] for seq in out if seq not in settled})
        await store.next_commit()
        second = store.create_cursor(first.log, {})
        seen = [seq for seq, _ in await read_all(second)]
        second.give_back(second.out.pop())
        await store.checkpoint()
        store.drop_cursor(first)
        await store.next_commit()
        return seen, [seq for seq, _ in await read_all(second)]

    owed = [*range(31, 50), *range(51, 101)]
    assert run_store(disk, body) == (owed, owed)


async def read_like_a_dispatcher(cursor: Cursor) -> list[int]:
    """Read in small steps; stop for nothing but a listener that will be called."""
    store = cursor.log.store
    found: list[int] = []
    while cursor.unread:
        first, records = cursor.read(5)
        found += range(first, first + len(records))
        if not records and cursor.promised <= cursor.next:
            await store.next_commit()
        elif not records and cursor.unread:
            assert cursor.window.reading, "nobody will call"
            await until(lambda: not cursor.window.reading)
    return found


def test_a_gap_longer_than_a_read_stalls_no_cursor(disk: SimulatedDisk) -> None:
    """Nothing would call the listener: what is behind the gap is there already."""

    async def body(store: Store) -> tuple[list[int], list[int]]:
        first = await fill(store, 300, 30)
        await read_all(first)
        out = first.out.pop()
        first.settle(list(range(2, 250)))
        first.give_back({1: 1, **{seq: out[seq] for seq in range(250, 301)}})
        await store.next_commit()
        in_memory = await read_like_a_dispatcher(store.create_cursor(first.log, {}))
        store.drop_cursor(first.log.cursors[1])
        await store.checkpoint()
        return in_memory, await read_like_a_dispatcher(store.create_cursor(first.log, {}))

    expected = [1, *range(250, 301)]
    assert run_store(disk, body) == (expected, expected)


@pytest.mark.parametrize("spilled", [False, True])
def test_a_gap_that_a_cursor_has_passed_is_no_damage_after_a_crash(
    disk: SimulatedDisk, tmp_path: Path, spilled: bool
) -> None:
    """A replay took it for messages that were out, looked for them in vain, and set them aside."""

    async def body(store: Store) -> None:
        first = await fill(store, 30, 10)
        await read_all(first)
        out = first.out.pop()
        first.settle(list(range(2, 25)))
        first.give_back({seq: out[seq] for seq in (1, *range(25, 31))})
        await store.next_commit()
        second = store.create_cursor(first.log, {})
        if spilled:
            await store.checkpoint()
        await read_all(second)
        second.out[-1].pop(25)
        second.settle([25])
        await store.next_commit()
        disk.crash_at = len(disk.calls)

    async def sequel(store: Store) -> tuple[list[list[int]], list[str]]:
        faults: list[str] = []
        store.on_fault = lambda log, text: faults.append(text)
        return [[seq for seq, _ in await read_all(cursor)] for cursor in store.cursors.values()], faults

    run_store(disk, body)
    first_owes, second_owes = [1, *range(25, 31)], [1, *range(26, 31)]
    assert run_store(disk.copy(tmp_path / "after"), sequel) == ([first_owes, second_owes], [])


def test_a_cursor_that_is_made_and_read_in_the_batch_of_its_log_keeps_its_promise(
    disk: SimulatedDisk, tmp_path: Path
) -> None:
    """What it was given after that is flagged after a crash: its READ must not stand before its DEFINE."""

    async def body(store: Store) -> None:
        first = await fill(store, 3, 10)
        log = first.log
        log.append(record("4"))
        late = store.create_cursor(log, {"name": "late"}, at_head=True)
        log.append(record("5"))
        assert late.read(10) == (5, [])
        await store.next_commit()
        first_seq, records = late.read(10)
        assert (first_seq, len(records)) == (5, 1)
        disk.crash_at = len(disk.calls)

    async def flagged(store: Store) -> tuple[int, int]:
        late = next(cursor for cursor in store.cursors.values() if cursor.definition)
        return late.next, late.maybe

    run_store(disk, body)
    assert run_store(disk.copy(tmp_path / "after"), flagged) == (5, 6)


def test_a_promise_that_a_replay_has_found_outlives_the_next_checkpoint(disk: SimulatedDisk, tmp_path: Path) -> None:
    """Nothing else has happened to the cursor since the crash, and the checkpoint passed it over."""

    async def promise(store: Store) -> None:
        cursor = await fill(store, 9, 10)
        await store.checkpoint()
        await read_all(cursor)
        disk.crash_at = len(disk.calls)

    async def deliver(store: Store) -> None:
        _, cursor = only(store)
        await store.checkpoint()
        assert len(await read_all(cursor)) == 9
        second.crash_at = len(second.calls)

    async def flagged(store: Store) -> int:
        return only(store)[1].maybe

    run_store(disk, promise)
    second = disk.copy(tmp_path / "second")
    run_store(second, deliver)
    assert run_store(second.copy(tmp_path / "third"), flagged) == 10


def test_windows_of_many_cursors_share_one_bound(disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.storage.cold.WINDOWS_BYTES_MAX", 20_000)

    async def body(store: Store) -> int:
        for number in range(8):
            store.create_cursor(store.create_log({"n": number}), {})
        for log in store.logs.values():
            for _ in range(40):
                log.append(record(f"{log.head}", 200))
        await store.checkpoint()
        cursors = list(store.cursors.values())
        for cursor in cursors:
            cursor.read(1)
        await store.next_commit()
        for cursor in cursors:
            cursor.read(1)
        await until(lambda: store.reader.reads >= 8)
        held = sum(cursor.window.bytes for cursor in cursors)
        for cursor in cursors:
            assert [seq for seq, _ in await read_all(cursor)] == list(range(cursor.next - 40, cursor.next))
        return held

    assert 0 < run_store(disk, body) <= 20_000


def test_large_messages_are_read_a_few_at_a_time(disk: SimulatedDisk) -> None:
    """A block holds at least one message, whatever its size: what is read ahead is bounded by bytes, not by blocks."""

    async def body(store: Store) -> tuple[int, int]:
        cursor = await fill(store, 12, 30_000)
        await store.checkpoint()
        largest = 0

        def look() -> None:
            nonlocal largest
            largest = max(largest, cursor.window.bytes)

        cursor.log.store.after_step = lambda: (look(), store.flush())  # type: ignore[assignment,func-returns-value]
        count = len(await read_all(cursor, limit=1))
        return count, largest

    count, largest = run_store(disk, body, cold_read_bytes=70_000, journal_file_bytes=512 << 10)
    assert count == 12
    assert 0 < largest <= 512 << 10


def test_a_disk_that_does_not_give_a_returned_message_is_asked_again_after_a_pause_only(disk: SimulatedDisk) -> None:
    """Fault 26: each publish looks for work; each look must not be another failed read, log line and timer."""

    async def body(store: Store) -> tuple[list[str], list[int]]:
        cursor = await fill(store, 100, 50)
        await read_all(cursor)
        cursor.give_back(cursor.out.pop())
        await store.checkpoint()
        faults: list[str] = []
        store.on_fault = lambda log, text: faults.append(text)
        disk.fault = lambda call: OSError(errno.EIO, "broken", call.path) if call.what == "open_database" else None
        for _ in range(10):
            cursor.take_returned()
            await fill(store, 1, 10)
            while cursor.fetching:
                await trio.lowlevel.checkpoint()  # the clock stands still, and a retry does not come by itself
        disk.fault = lambda call: None
        clock.rate = 100
        await until(lambda: not cursor.fault)
        return faults, [seq for seq, _ in await read_all(cursor)]

    clock = MockClock()
    faults, seqs = run_store(disk, body, clock=clock)
    assert faults == ["can't be read: [Errno 5] broken: 'segments/1/1-100.db'"]
    assert seqs == list(range(1, 111))


def test_a_change_while_a_stop_waits_for_a_checkpoint_is_committed_and_troubles_nobody(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commit may take a snapshot with it, and then the last checkpoint has to wait once more."""
    write = Catalog._write

    async def body(store: Store) -> None:
        log = (await fill(store, 30, 50)).log

        async def change_and_write(catalog: Catalog, change: CatalogChange) -> dict[str, Any]:
            if log.head < 33:
                log.append(record(f"{log.head}"))
            return await write(catalog, change)

        monkeypatch.setattr(Catalog, "_write", change_and_write)
        log.append(record("31"))

    run_store(disk, body, checkpoint_interval_seconds=0.0)
    assert [seq for seq, _ in run_store(disk, lambda store: read_all(only(store)[1]))] == list(range(1, 33))
