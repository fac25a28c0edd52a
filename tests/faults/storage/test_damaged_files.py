"""Files that are damaged, cut, missing, too many or too new (faults 22 to 26 and 28)."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from trio.testing import MockClock

from segue.storage.api import Store
from segue.storage.entries import BATCH_HEADER_SIZE, PAGE, batch_header, parse_batch_header
from tests.faults.storage.driver import drain_all, nothing, read_all, run_store, until
from tests.faults.storage.sample import Found, Sample, look_at
from tests.faults.storage.simulated_disk import Call, SimulatedDisk


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample.make(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def sample(made: Sample, tmp_path: Path) -> Sample:
    return Sample(made.disk.copy(tmp_path / "store"), made.before, made.after)


def segments(sample: Sample) -> list[str]:
    return [path for path in sample.files if path.startswith("segments/")]


def journal(sample: Sample) -> str:
    """The one journal file in use."""
    (path,) = [path for path in sample.files if path.startswith("journal/") and "free" not in path]
    return path


def open_again(disk: SimulatedDisk) -> SimulatedDisk:
    """The simulated disk takes note of what was done to the files behind its back."""
    return SimulatedDisk(disk.root)


def lost_and_found(found: Found, sample: Sample) -> tuple[set[int], set[int]]:
    """Numbers of the busy log that were not delivered, and those in quarantine."""
    assert found.records["quiet"] == sample.after["quiet"], "other logs are served"
    delivered = found.records["busy"]
    assert all(sample.after["busy"][seq] == data for seq, data in delivered.items())
    return sample.after["busy"].keys() - delivered.keys(), found.set_aside["busy"]


def offset_of(path: Path, text: bytes) -> int:
    at = path.read_bytes().find(text)
    assert at > 0
    return at


def test_a_damaged_record_is_set_aside_and_its_neighbours_are_delivered(sample: Sample) -> None:
    """Fault 22: in a segment."""
    path = segments(sample)[0]
    seq = int(path.split("/")[-1].split("-")[0])
    at = offset_of(sample.disk.root / path, sample.after["busy"][seq][40:])
    found = look_at(sample.disk.flipped(sample.disk.root.parent / "flipped", path, 8 * at))
    assert lost_and_found(found, sample) == ({seq}, {seq})
    assert found.faults == [f"message {seq} set aside: its checksum is wrong"]


def test_a_damaged_record_in_the_catalog_is_set_aside(sample: Sample) -> None:
    """Fault 22: in a loose block."""
    run_store(sample.disk, nothing)  # so that all loose blocks are in catalog.db
    seq = min(sample.after["busy"])
    at = offset_of(sample.disk.root / "catalog.db", sample.after["busy"][seq])
    found = look_at(sample.disk.flipped(sample.disk.root.parent / "flipped", "catalog.db", 8 * (at + 36)))
    assert found.refused == ""
    assert lost_and_found(found, sample) == ({seq}, {seq})


async def settle_all(store: Store) -> int:
    """Work everything off that can be read. Returns how much is set aside."""
    for cursor in store.cursors.values():
        await drain_all(cursor)
    await store.checkpoint()
    return sum(len(cursor.quarantined) for cursor in store.cursors.values())


def test_a_record_set_aside_is_still_owed_after_a_restart_and_is_served_once_it_is_mended(sample: Sample) -> None:
    path = segments(sample)[0]
    seq = int(path.split("/")[-1].split("-")[0])
    whole = (sample.disk.root / path).read_bytes()
    at = offset_of(sample.disk.root / path, sample.after["busy"][seq][40:])
    damaged = sample.disk.flipped(sample.disk.root.parent / "flipped", path, 8 * at)
    assert run_store(damaged, settle_all) == 1
    assert run_store(damaged, settle_all) == 1, "its segment is kept, although nothing else in it is owed"
    assert (damaged.root / path).exists()
    (damaged.root / path).write_bytes(whole)
    found = look_at(open_again(damaged))
    assert found.records == {"busy": {seq: sample.after["busy"][seq]}, "quiet": {}}


def test_a_record_that_was_mended_is_settled_for_good_though_a_start_could_not_read_it(sample: Sample) -> None:
    """It was set aside in the catalog and returned in the journal: in both, it came again when it was settled."""
    path = segments(sample)[0]
    whole = (sample.disk.root / path).read_bytes()
    at = offset_of(sample.disk.root / path, sample.after["busy"][int(path.split("/")[-1].split("-")[0])][40:])
    damaged = sample.disk.flipped(sample.disk.root.parent / "flipped", path, 8 * at)
    assert run_store(damaged, settle_all) == 1
    (damaged.root / path).write_bytes(whole)
    mended = open_again(damaged)

    async def return_it(store: Store) -> None:
        busy, _ = store.cursors.values()
        assert len(await read_all(busy)) == 1
        busy.give_back(busy.out.pop())
        await store.next_commit()
        mended.crash_at = len(mended.calls)

    run_store(mended, return_it)
    disk = mended.copy(mended.root.parent / "after")

    async def settle_later(store: Store) -> int:
        disk.fault = lambda call: None
        return await settle_all(store)

    disk.fault = lambda call: OSError(errno.EIO, "broken", path) if call == ("open_database", path) else None
    assert run_store(disk, settle_later) == 0
    assert look_at(open_again(disk)).records == {"busy": {}, "quiet": {}}


@pytest.mark.parametrize("flip", [0x01, 0x04, 0x08, 0x20])
def test_rows_out_of_order_end_a_segment_and_not_the_reader(sample: Sample, flip: int) -> None:
    """Fault 23: a row's place in its page, one bit off, is no damage for SQLite, but the next row is never the next."""
    path = next(path for path in segments(sample) if path.endswith("/181-270.db"))
    place = 2 * 16384 + 10  # the second of the third page, which is the table's only leaf
    file = sample.disk.root / path
    data = bytearray(file.read_bytes())
    assert data[place - 10] == 0x0D
    data[place] ^= flip
    file.write_bytes(data)
    lost, aside = lost_and_found(look_at(open_again(sample.disk)), sample)
    assert lost == aside
    assert lost


def test_what_is_set_aside_can_be_given_up(sample: Sample) -> None:
    path = segments(sample)[0]
    (sample.disk.root / path).unlink()
    disk = open_again(sample.disk)

    async def give_up(store: Store) -> None:
        for cursor in store.cursors.values():
            await drain_all(cursor)
            assert cursor.settle_quarantined() >= 0
            assert len(cursor.quarantined) == 0
        await store.next_commit()
        disk.crash_at = len(disk.calls)

    run_store(disk, give_up)
    after = disk.copy(disk.root.parent / "after")
    found = look_at(after)
    assert (found.records, found.set_aside["busy"]) == ({"busy": {}, "quiet": {}}, set())


def test_a_damaged_page_of_a_segment_takes_no_other_segment_with_it(sample: Sample) -> None:
    """Fault 23."""
    path = segments(sample)[0]
    with open(sample.disk.root / path, "r+b") as file:
        file.seek(16384)  # the second page: a b-tree page, or what it leads to
        file.write(b"\xff" * 16384)
    lost, aside = lost_and_found(look_at(open_again(sample.disk)), sample)
    first, last = map(int, path.split("/")[-1].removesuffix(".db").split("-"))
    assert lost
    assert lost <= aside <= set(range(first, last + 1))


def test_a_damaged_page_of_the_catalog_is_refused(sample: Sample) -> None:
    """Fault 23: what it named can't be known, so nothing may be served as if it were all."""
    run_store(sample.disk, nothing)
    with open(sample.disk.root / "catalog.db", "r+b") as file:
        file.seek(5 * 16384)
        file.write(b"\xff" * 4096)
    found = look_at(open_again(sample.disk))
    assert "catalog.db" in found.refused
    assert "segue storage check" in found.refused


def batches(path: Path) -> list[tuple[int, int]]:
    """(offset, size) of each batch in a journal file."""
    data = path.read_bytes()
    found, at = [], 0
    while (header := parse_batch_header(data[at : at + BATCH_HEADER_SIZE])) is not None:
        found.append((at, header.size))
        at += -(-header.size // PAGE) * PAGE
    return found


def test_a_damaged_batch_with_a_valid_one_behind_it_is_refused_with_its_place(sample: Sample) -> None:
    """Fault 24."""
    path = journal(sample)
    offset, size = batches(sample.disk.root / path)[-2]
    found = look_at(sample.disk.flipped(sample.disk.root.parent / "flipped", path, 8 * (offset + size - 1)))
    assert f"{path}: offset {offset}, {-(-size // PAGE) * PAGE} bytes" in found.refused


def test_a_damaged_last_batch_looks_like_the_torn_tail_of_a_crash(sample: Sample) -> None:
    """Fault 24, and its limit: nothing on disk tells the two apart. The start says how many bytes it has cut."""
    path = journal(sample)
    offset, size = batches(sample.disk.root / path)[-1]
    flipped = sample.disk.flipped(sample.disk.root.parent / "flipped", path, 8 * (offset + size - 1))

    async def torn_bytes(store: Store) -> int:
        return store.recovery.torn_bytes

    copy = flipped.copy(flipped.root.parent / "copy")
    assert run_store(flipped, torn_bytes) == size
    assert look_at(copy).records == sample.before


@pytest.mark.parametrize("size", [0, 100, 16384, 20000])
def test_a_segment_that_is_cut_is_named_and_the_rest_is_served(sample: Sample, size: int) -> None:
    """Fault 25."""
    path = segments(sample)[0]
    os.truncate(sample.disk.root / path, size)
    found = look_at(open_again(sample.disk))
    lost, aside = lost_and_found(found, sample)
    assert lost
    assert lost <= aside
    assert found.faults[0].startswith(f"{path} has {size} bytes, and was written with ")


def test_a_missing_segment_is_named_and_the_rest_is_served(sample: Sample) -> None:
    """Fault 25."""
    path = segments(sample)[0]
    (sample.disk.root / path).unlink()
    found = look_at(open_again(sample.disk))
    lost, aside = lost_and_found(found, sample)
    assert lost
    assert lost <= aside
    assert found.faults[0] == f"{path} is missing; see 'segue storage check'"


def test_a_segment_of_another_store_is_not_served(sample: Sample, tmp_path: Path) -> None:
    """Fault 25."""
    other = Sample.make(tmp_path / "other")
    path = segments(sample)[0]
    shutil.copy(other.disk.root / path, sample.disk.root / path)
    lost, aside = lost_and_found(look_at(open_again(sample.disk)), sample)
    assert lost
    assert lost <= aside


def test_a_segment_that_nobody_names_is_removed(sample: Sample) -> None:
    """Fault 25: an extra file."""
    extra = "segments/77/1-9.db"
    (sample.disk.root / extra).parent.mkdir()
    shutil.copy(sample.disk.root / segments(sample)[0], sample.disk.root / extra)
    found = look_at(open_again(sample.disk))
    assert found.records == sample.after
    assert not (sample.disk.root / extra).exists()


def test_a_segment_that_the_disk_does_not_give_holds_its_queue_until_it_does(sample: Sample) -> None:
    """Fault 26: an error of the disk is no damage. Nothing is set aside, and the other queues go on."""
    path = segments(sample)[0]
    disk = sample.disk

    def eio(call: Call) -> Exception | None:
        return OSError(errno.EIO, os.strerror(errno.EIO), path) if call == ("open_database", path) else None

    async def body(store: Store) -> dict[int, bytes]:
        busy, quiet = store.cursors.values()
        disk.fault = eio
        assert dict(await read_all(quiet)) == sample.after["quiet"]
        assert len(await read_all(busy)) < len(sample.after["busy"])
        assert busy.fault == f"[Errno 5] Input/output error: '{path}'"
        assert not busy.quarantined
        busy.give_back(busy.out.pop())
        disk.fault = lambda call: None
        await until(lambda: not busy.fault)  # it is tried again after some seconds
        return dict(await read_all(busy))

    assert run_store(disk, body, clock=MockClock(rate=100)) == sample.after["busy"]


def test_a_missing_catalog_is_refused_where_there_are_messages(sample: Sample) -> None:
    (sample.disk.root / "catalog.db").unlink()
    (sample.disk.root / "catalog.db-wal").unlink()
    before = sample.files
    found = look_at(open_again(sample.disk))
    assert found.refused.startswith("catalog.db: it is missing, and there are files in journal/")
    assert sample.files == before, "no new one was made in its place"


def test_a_missing_journal_is_refused(sample: Sample) -> None:
    (sample.disk.root / journal(sample)).unlink()
    found = look_at(open_again(sample.disk))
    assert "the journal file that holds LSN" in found.refused


@pytest.mark.parametrize("size", [0, 5000])
def test_a_journal_file_that_is_cut_is_refused(sample: Sample, size: int) -> None:
    path = journal(sample)
    os.truncate(sample.disk.root / path, size)
    found = look_at(open_again(sample.disk))
    assert found.refused.startswith(f"{path}: it has {size} bytes")


def test_a_store_of_a_newer_format_is_refused_and_nothing_is_written(sample: Sample) -> None:
    """Fault 28."""
    run_store(sample.disk, nothing)
    with sqlite3.connect(sample.disk.root / "catalog.db") as catalog:
        catalog.execute("PRAGMA user_version=2")
    catalog.close()
    before = {path: (sample.disk.root / path).read_bytes() for path in sample.files}
    found = look_at(open_again(sample.disk))
    assert found.refused.startswith("catalog.db: format version 2, this Segue knows versions up to 1")
    assert {path: (sample.disk.root / path).read_bytes() for path in sample.files} == before


def test_a_batch_with_an_unknown_entry_is_refused(sample: Sample) -> None:
    """Fault 28: a newer Segue has written to the journal, and not told the catalog."""
    path = sample.disk.root / journal(sample)
    data = bytearray(path.read_bytes())
    offset, _ = batches(path)[-1]
    header = parse_batch_header(bytes(data[offset : offset + BATCH_HEADER_SIZE]))
    assert header is not None
    entry = b"\x63\0\0\0" + (0).to_bytes(4, "little")
    batch = batch_header(1, [entry], header.lsn, header.previous, header.salt) + entry
    data[offset : offset + PAGE] = batch.ljust(PAGE, b"\0")
    path.write_bytes(data)
    assert "format version 99" in look_at(open_again(sample.disk)).refused


def test_a_damaged_size_costs_its_record_and_not_the_neighbours(sample: Sample) -> None:
    path = segments(sample)[0]
    seqs = sorted(sample.after["busy"])
    at = offset_of(sample.disk.root / path, sample.after["busy"][seqs[1]][:40])
    found = look_at(sample.disk.flipped(sample.disk.root.parent / "flipped", path, 8 * at + 2))
    lost, aside = lost_and_found(found, sample)
    assert lost == {seqs[1]}
    assert lost <= aside
