"""Tests of segue.storage.scan: what is the end of the journal, what is damage, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.storage.entries import PAGE, batch_header
from segue.storage.errors import DamagedStoreError
from segue.storage.journal import NO_BATCH, file_name
from segue.storage.posix import PosixDisk
from segue.storage.scan import JournalScan, journal_files

SALT = 0x1234
FILE_BYTES = 4 * PAGE


class Journal:
    """Writes batches where a test wants them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.disk = PosixDisk(root)
        (root / "journal").mkdir()

    def file(self, lsn: int, *batches: bytes, size: int = FILE_BYTES) -> None:
        data = b"".join(batch.ljust(-(-len(batch) // PAGE) * PAGE, b"\0") for batch in batches)
        (self.root / file_name(lsn)).write_bytes(data.ljust(size, b"\0"))

    def scan(self, start: int = 0, previous: int = NO_BATCH) -> JournalScan:
        return JournalScan(self.disk, start, previous, SALT)

    def found(self, start: int = 0, previous: int = NO_BATCH) -> list[int]:
        return [batch.lsn for batch in self.scan(start, previous)]

    def refusal(self, start: int = 0, previous: int = NO_BATCH) -> DamagedStoreError:
        with pytest.raises(DamagedStoreError) as caught:
            list(self.scan(start, previous))
        return caught.value


def batch(lsn: int, previous: int = NO_BATCH, *, size: int = 100, salt: int = SALT) -> bytes:
    """A valid batch of so many bytes behind its header; the scan does not look at entries."""
    body = (b"%d " % lsn).ljust(size, b"x")
    return batch_header(1, [body], lsn, previous, salt) + body


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def test_names_that_are_not_those_of_journal_files_are_passed_over(journal: Journal) -> None:
    journal.file(0)
    for name in ("free-1.journal", "new-2.journal", "0000.journal", "xxxxxxxxxxxxxxxx.journal", "0000000000000000"):
        (journal.root / "journal" / name).write_bytes(b"")
    assert journal_files(journal.disk) == {0: FILE_BYTES}


def test_a_journal_without_files_is_a_new_one(journal: Journal) -> None:
    assert journal.found() == []


def test_batches_are_found_from_a_checkpoint_on(journal: Journal) -> None:
    journal.file(0, batch(0), batch(PAGE, 0), batch(2 * PAGE, PAGE))
    assert journal.found() == [0, PAGE, 2 * PAGE]
    assert journal.found(PAGE, 0) == [PAGE, 2 * PAGE]
    scan = journal.scan(3 * PAGE, 2 * PAGE)
    assert (list(scan), scan.position, scan.previous, scan.torn_bytes) == ([], 3 * PAGE, 2 * PAGE, 0)


def test_the_chain_goes_on_in_the_next_file_where_a_batch_did_not_fit(journal: Journal) -> None:
    journal.file(0, batch(0), batch(PAGE, 0))
    journal.file(FILE_BYTES, batch(FILE_BYTES, PAGE, size=3 * PAGE))
    assert journal.found() == [0, PAGE, FILE_BYTES]


def test_the_chain_goes_on_in_the_next_file_where_one_is_full(journal: Journal) -> None:
    journal.file(0, batch(0, size=3 * PAGE))
    journal.file(FILE_BYTES, batch(FILE_BYTES, 0))
    assert journal.found() == [0, FILE_BYTES]


@pytest.mark.parametrize("kept", [1, 39, 40, 41, 512, PAGE, PAGE + 1, 2 * PAGE - 1])
def test_a_last_batch_that_is_cut_anywhere_is_the_torn_tail_of_a_crash(journal: Journal, kept: int) -> None:
    last = batch(PAGE, 0, size=2 * PAGE)
    journal.file(0, batch(0), last[:kept])
    scan = journal.scan()
    assert [each.lsn for each in scan] == [0]
    assert scan.position == PAGE
    assert scan.torn_bytes == (len(last) if kept > 1 else 0), "as far as its head tells"


def test_a_last_batch_whose_head_did_not_arrive_is_a_torn_tail(journal: Journal) -> None:
    journal.file(0, batch(0), bytes(512) + batch(PAGE, 0, size=2 * PAGE)[512:])
    assert journal.found() == [0]


def test_a_file_that_was_made_and_not_yet_written_to_is_no_damage(journal: Journal) -> None:
    journal.file(0, batch(0))
    journal.file(FILE_BYTES)
    assert journal.found() == [0]


@pytest.mark.parametrize("at", [0, 8, 20, 60])
def test_a_damaged_batch_before_a_valid_one_is_refused_with_its_place_and_size(journal: Journal, at: int) -> None:
    """Fault 24."""
    damaged = bytearray(batch(PAGE, 0))
    damaged[at] ^= 4
    journal.file(0, batch(0), bytes(damaged), batch(2 * PAGE, PAGE))
    error = journal.refusal()
    assert (str(error.path), error.offset, error.size) == (file_name(0), PAGE, PAGE)
    assert "a valid one follows at LSN 8192" in str(error)


def test_a_damaged_batch_at_the_end_of_a_file_is_seen_by_what_stands_in_the_next(journal: Journal) -> None:
    """Fault 24."""
    damaged = bytearray(batch(PAGE, 0))
    damaged[50] ^= 4
    journal.file(0, batch(0), bytes(damaged))
    journal.file(FILE_BYTES, batch(FILE_BYTES, PAGE))
    journal.file(2 * FILE_BYTES)
    error = journal.refusal()
    assert (str(error.path), error.offset, error.size) == (file_name(0), PAGE, 3 * PAGE)


def test_a_damaged_first_batch_of_a_file_is_seen_by_the_second(journal: Journal) -> None:
    damaged = bytearray(batch(FILE_BYTES, PAGE))
    damaged[50] ^= 4
    journal.file(0, batch(0), batch(PAGE, 0))
    journal.file(FILE_BYTES, bytes(damaged), batch(FILE_BYTES + PAGE, FILE_BYTES))
    error = journal.refusal()
    assert error.offset == 2 * PAGE
    assert f"LSN {FILE_BYTES + PAGE}" in str(error)


def test_a_batch_that_follows_another_than_the_last_is_damage(journal: Journal) -> None:
    """What is missing between them was confirmed."""
    journal.file(0, batch(0), batch(PAGE, previous=77))
    error = journal.refusal()
    assert error.offset == PAGE


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param(batch(7 * PAGE, 0), id="of another place, as in a file that is used again"),
        pytest.param(batch(2 * PAGE, PAGE, salt=1), id="of another store, as in a message's body"),
    ],
)
def test_what_looks_like_a_batch_and_is_none_of_this_place_is_not_taken_for_one(journal: Journal, stray: bytes) -> None:
    journal.file(0, batch(0), b"torn", stray)
    assert journal.found() == [0]


def test_a_batch_that_claims_more_than_its_file_has_is_not_read(journal: Journal) -> None:
    huge = batch_header(1, [b"x" * (1 << 20)], PAGE, 0, SALT)
    journal.file(0, batch(0), huge)
    scan = journal.scan()
    assert [each.lsn for each in scan] == [0]
    assert scan.torn_bytes == 40 + (1 << 20)


@pytest.mark.parametrize("size", [0, 1, PAGE - 1, FILE_BYTES - 512])
def test_a_file_that_is_no_whole_number_of_pages_is_refused(journal: Journal, size: int) -> None:
    """Fault 25, of the journal: a file gets its name when it is complete."""
    journal.file(0, batch(0))
    (journal.root / file_name(FILE_BYTES)).write_bytes(bytes(size))
    assert f"it has {size} bytes" in str(journal.refusal())


def test_the_file_of_the_checkpoint_that_is_missing_is_refused(journal: Journal) -> None:
    assert "the journal file that holds LSN 4096 is missing" in str(journal.refusal(PAGE, 0))
    journal.file(FILE_BYTES, batch(FILE_BYTES, 0))
    assert "the journal file that holds LSN 4096 is missing" in str(journal.refusal(PAGE, 0))
    assert "the journal file that holds LSN 0 is missing" in str(journal.refusal())


def test_a_missing_file_in_the_middle_is_refused(journal: Journal) -> None:
    journal.file(0, batch(0, size=3 * PAGE))
    journal.file(2 * FILE_BYTES, batch(2 * FILE_BYTES, FILE_BYTES))
    assert f"the journal file that holds LSN {FILE_BYTES} is missing" in str(journal.refusal())


def test_a_journal_that_ends_with_its_last_file_is_whole(journal: Journal) -> None:
    journal.file(0, batch(0, size=3 * PAGE))
    scan = journal.scan()
    assert ([each.lsn for each in scan], scan.position) == ([0], FILE_BYTES)
    assert journal.found(FILE_BYTES, 0) == []


def test_a_scan_that_is_given_up_closes_its_file(journal: Journal) -> None:
    journal.file(0, batch(0), batch(PAGE, 0))
    scan = journal.scan()
    iterator = iter(scan)
    next(iterator)
    assert scan._open is not None
    scan.close()
    scan.close()
    assert scan._open is None
