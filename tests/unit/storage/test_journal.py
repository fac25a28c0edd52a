"""Tests of segue.storage.journal: what is written where, and how it ends when the disk or the event loop does."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from segue.storage.batch import Batch
from segue.storage.entries import PAGE, decode_entries
from segue.storage.errors import DiskFailureError
from segue.storage.journal import NO_BATCH, Journal, file_name
from segue.storage.scan import JournalScan, journal_files
from tests.faults.storage.driver import until
from tests.faults.storage.simulated_disk import Call, SimulatedDisk, no_space

SALT = 0xABCD
FILE_BYTES = 4 * PAGE


@pytest.fixture
def disk(tmp_path: Path) -> SimulatedDisk:
    (tmp_path / "journal").mkdir()
    return SimulatedDisk(tmp_path)


def batch_of(number: int, size: int = 0) -> Batch:
    """A batch that says which one it is; `size` bytes make it larger."""
    batch = Batch()
    batch.definitions.append({"do": "note", "number": number, "padding": "." * size})
    return batch


def journal_on(
    disk: SimulatedDisk, position: int = 0, previous: int = NO_BATCH, file_bytes: int = FILE_BYTES
) -> Journal:
    files = journal_files(disk)
    return Journal(disk, salt=SALT, file_bytes=file_bytes, position=position, previous=previous, files=files)


@asynccontextmanager
async def served(journal: Journal) -> AsyncIterator[list[Batch]]:
    """The batches that were reported so far."""
    reported: list[Batch] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.serve, reported.append)
        yield reported
        nursery.cancel_scope.cancel()


def begin_and_wait(journal: Journal, batch: Batch) -> bool:
    """What the event loop does with a small batch. True when it is durable, and will not be reported."""
    return journal.begin(batch) and journal.wait()


async def write(journal: Journal, reported: list[Batch], batch: Batch, *, now: bool = False) -> None:
    """Wait until a batch is durable."""
    if not now:
        journal.submit(batch)
    elif begin_and_wait(journal, batch):
        return
    await until(lambda: batch in reported)


def numbers_on(disk: SimulatedDisk) -> list[int]:
    """The batches that a start would find."""
    found = []
    for batch in JournalScan(disk, 0, NO_BATCH, SALT):
        found += [entry.definition["number"] for entry in decode_entries(batch.data, batch.header.entries)]  # type: ignore[union-attr]
    return found


def eio(*what: str) -> Callable[[Call], Exception | None]:
    return lambda call: OSError(errno.EIO, os.strerror(errno.EIO), call.path) if call.what in what else None


# -- what is written


@pytest.mark.parametrize("now", [False, True])
async def test_batches_are_reported_in_order_and_found_again(disk: SimulatedDisk, now: bool) -> None:
    journal = journal_on(disk)
    async with served(journal) as reported:
        for number in range(10):
            before = journal.position
            await write(journal, reported, batch_of(number, 5000 * (number % 3)), now=now)
            assert journal.previous >= before
            assert journal.position % PAGE == 0
        assert journal.syncs == 10
        assert journal.bytes_written <= journal.position, "a file's rest may be left over"
    assert numbers_on(disk) == list(range(10))


async def test_a_batch_never_spans_two_files(disk: SimulatedDisk) -> None:
    journal = journal_on(disk)
    async with served(journal) as reported:
        for number in range(4):
            await write(journal, reported, batch_of(number, 2 * PAGE))  # three pages: one to a file
    assert sorted(journal_files(disk)) == [number * FILE_BYTES for number in range(4)]
    assert numbers_on(disk) == list(range(4))


async def test_a_batch_larger_than_a_file_has_one_of_its_own_and_the_next_goes_behind_it(disk: SimulatedDisk) -> None:
    journal = journal_on(disk)
    async with served(journal) as reported:
        for number, size in enumerate((0, 10 * PAGE, 0)):
            await write(journal, reported, batch_of(number, size))
    assert journal_files(disk) == {0: FILE_BYTES, FILE_BYTES: 11 * PAGE, FILE_BYTES + 11 * PAGE: FILE_BYTES}
    assert numbers_on(disk) == [0, 1, 2]


@pytest.mark.parametrize("now", [False, True])
async def test_a_batch_with_nothing_in_it_is_reported_and_costs_no_write(disk: SimulatedDisk, now: bool) -> None:
    journal = journal_on(disk)
    async with served(journal) as reported:
        await write(journal, reported, batch_of(0))
        await write(journal, reported, Batch(), now=now)
        await write(journal, reported, batch_of(1), now=now)
    assert (journal.syncs, numbers_on(disk)) == (2, [0, 1])


async def test_a_journal_goes_on_where_the_last_one_ended(disk: SimulatedDisk) -> None:
    position, previous = 0, NO_BATCH
    for life in range(3):
        journal = journal_on(disk, position, previous)
        async with served(journal) as reported:
            for number in range(3):
                await write(journal, reported, batch_of(10 * life + number), now=True)
        position, previous = journal.position, journal.previous
    assert numbers_on(disk) == [0, 1, 2, 10, 11, 12, 20, 21, 22]


async def test_a_slow_disk_is_left_to_the_thread_and_the_order_stays(disk: SimulatedDisk) -> None:
    """Fault 20: a write that the event loop has begun and does not wait for."""
    journal = journal_on(disk)
    async with served(journal) as reported:
        await write(journal, reported, batch_of(0))
        disk.gate.clear()
        assert not begin_and_wait(journal, batch_of(1))
        await trio.testing.wait_all_tasks_blocked()
        assert len(reported) == 1, "it is not durable before the disk says so"
        disk.gate.set()
        await until(lambda: len(reported) == 2)
        for number in range(2, 9):
            await write(journal, reported, batch_of(number), now=True)
    assert numbers_on(disk) == list(range(9))


async def test_a_spare_that_was_taken_is_made_good_at_once(
    disk: SimulatedDisk, mock_clock: trio.testing.MockClock
) -> None:
    """Not at the next look, which comes once a second: under load that is some files later. The clock stands still."""
    journal = journal_on(disk)
    async with served(journal) as reported:
        for number in range(5):
            journal.submit(batch_of(number, 2 * PAGE))
            while len(reported) <= number or journal.spares < 2:
                await trio.lowlevel.checkpoint()
    assert (sorted(journal_files(disk)), mock_clock.rate) == ([number * FILE_BYTES for number in range(5)], 0)


@pytest.mark.parametrize("now", [False, True])
async def test_a_file_that_is_too_large_now_is_left_and_removed(disk: SimulatedDisk, now: bool) -> None:
    """As when load is over. What is left of it counts as written: so a checkpoint comes soon, and sets it free."""
    large = 16 * FILE_BYTES
    journal = journal_on(disk, file_bytes=large)
    async with served(journal) as reported:
        await write(journal, reported, batch_of(0))
    journal = journal_on(disk, journal.position, journal.previous)
    async with served(journal) as reported:
        await until(lambda: journal._end == journal._base)
        for number in (1, 2):
            await write(journal, reported, batch_of(number), now=now)
        assert journal_files(disk) == {0: large, large: FILE_BYTES}
        assert journal.position == large + 2 * PAGE
        assert numbers_on(disk) == [0, 1, 2]
        journal.recycle(large)
        await until(lambda: journal.spares == 2)
    assert {disk.size(f"journal/{name}") for name in disk.list("journal")} == {FILE_BYTES}


# -- recycling


async def test_files_that_a_checkpoint_has_passed_become_spares_and_the_current_one_never(disk: SimulatedDisk) -> None:
    journal = journal_on(disk)
    async with served(journal) as reported:
        for number in range(4):
            await write(journal, reported, batch_of(number, 2 * PAGE))
        assert journal.oldest == 0
        journal.recycle(2 * FILE_BYTES - PAGE)
        assert journal.oldest == FILE_BYTES, "a file that a replay still needs a byte of stays"
        journal.recycle(1 << 60)
        assert journal.oldest == 3 * FILE_BYTES
        await write(journal, reported, batch_of(4, 2 * PAGE))
    assert sorted(journal_files(disk)) == [3 * FILE_BYTES, 4 * FILE_BYTES]


async def test_a_recycling_that_fails_is_gone_on_with_by_the_next(disk: SimulatedDisk) -> None:
    journal = journal_on(disk)
    async with served(journal) as reported:
        for number in range(3):
            await write(journal, reported, batch_of(number, 2 * PAGE))
        await until(lambda: journal.spares == 2)
        disk.fault = eio("unlink", "rename")
        with pytest.raises(OSError, match="Input/output error"):
            journal.recycle(1 << 60)
        assert journal.oldest == 0
        disk.fault = lambda call: None
        journal.recycle(1 << 60)
        assert (journal.oldest, list(journal_files(disk))) == (2 * FILE_BYTES, [2 * FILE_BYTES])


async def test_what_stands_in_a_file_that_is_used_again_is_not_read_as_new(disk: SimulatedDisk) -> None:
    journal = journal_on(disk)
    async with served(journal) as reported:
        for number in range(12):
            await write(journal, reported, batch_of(number, 2 * PAGE))
            journal.recycle(journal.position - 1)
    start, previous = journal._base, journal.previous
    assert disk.read_head(file_name(start), 4) == b"SGJ1"
    scan = JournalScan(disk, journal.position, previous, SALT)
    assert list(scan) == []
    assert scan.position == journal.position


# -- how it ends


@pytest.mark.parametrize("now", [False, True])
@pytest.mark.parametrize("what", ["write_sync", "rename", "sync_directory", "open"])
async def test_after_a_failure_nothing_is_reported_and_nothing_is_written(
    disk: SimulatedDisk, what: str, now: bool
) -> None:
    """Fault 15, in the write as in what has to come before it."""
    journal = journal_on(disk)
    reported: list[Batch] = []
    with pytest.RaisesGroup(DiskFailureError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(journal.serve, reported.append)
            await write(journal, reported, batch_of(0, 2 * PAGE))
            disk.fault = eio(what)
            if now:
                assert not begin_and_wait(journal, batch_of(1, 2 * PAGE))
            else:
                journal.submit(batch_of(1, 2 * PAGE))
    disk.fault = lambda call: None
    assert [batch.definitions[0]["number"] for batch in reported] == [0]
    assert (journal.syncs, numbers_on(disk)) == (1, [0])


@pytest.mark.parametrize("now", [False, True])
async def test_an_end_while_a_write_is_under_way_waits_for_it_and_reports_nothing(
    disk: SimulatedDisk, now: bool
) -> None:
    """Nobody closes a file under a thread that writes to it."""
    journal = journal_on(disk)
    reported: list[Batch] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.serve, reported.append)
        await write(journal, reported, batch_of(0))
        disk.gate.clear()
        if now:
            assert not begin_and_wait(journal, batch_of(1))
        else:
            journal.submit(batch_of(1))
        nursery.cancel_scope.cancel()
        nursery.start_soon(partial(open_gate_later, disk))
    assert len(reported) == 1
    assert numbers_on(disk) == [0, 1]
    assert journal._file is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        journal._file.read(0, 1)


async def open_gate_later(disk: SimulatedDisk) -> None:
    """Not before the journal has been told to end."""
    with trio.CancelScope(shield=True):
        await trio.testing.wait_all_tasks_blocked()
        disk.gate.set()


async def run_short_of_space(journal: Journal, reported: list[Batch], disk: SimulatedDisk) -> None:
    """One batch is written; the next one finds the disk full, and waits."""
    await write(journal, reported, batch_of(0, 2 * PAGE))
    await until(lambda: journal.spares == 2)
    disk.fault = no_space()
    journal._spares._ready.clear()
    journal.submit(batch_of(1, 2 * PAGE))
    await until(lambda: journal.short_of_space)


async def test_an_end_while_a_batch_waits_for_space_does_not_wait_for_it(disk: SimulatedDisk) -> None:
    """Fault 17: a full disk must not keep a daemon from being stopped."""
    journal = journal_on(disk)
    async with served(journal) as reported:
        await run_short_of_space(journal, reported, disk)
    assert [batch.definitions[0]["number"] for batch in reported] == [0]
    disk.fault = lambda call: None
    assert numbers_on(disk) == [0]


async def test_a_batch_that_waited_for_space_is_written_when_there_is_some(disk: SimulatedDisk) -> None:
    """Fault 17."""
    journal = journal_on(disk)
    async with served(journal) as reported:
        await run_short_of_space(journal, reported, disk)
        assert len(reported) == 1
        disk.fault = lambda call: None
        await until(lambda: len(reported) == 2)
        await until(lambda: not journal.short_of_space)
    assert numbers_on(disk) == [0, 1]


async def test_a_spare_that_is_given_up_is_not_made_again_before_it_is_wanted(disk: SimulatedDisk) -> None:
    journal = journal_on(disk)
    async with served(journal) as reported:
        await until(lambda: journal.spares == 2)
        assert journal.give_up_spare()
        assert not journal.give_up_spare(), "the last is for acknowledgements"
        await write(journal, reported, batch_of(0))  # takes it
        await until(lambda: journal.spares == 1)
        journal.want_spares()
        await until(lambda: journal.spares == 2)
