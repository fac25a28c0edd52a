"""Every whole batch of the journal is found, and a gap where some are lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segue.storage.entries import (
    PAGE,
    Define,
    Enqueue,
    Settle,
    batch_header,
    define_entry,
    enqueue_entry,
    padded,
    settle_entry,
)
from segue.storage.errors import NewerFormatError, RecordDamagedError
from segue.storage.journal import NO_BATCH, file_name
from segue.storage.tools.journal_image import FoundBatch, Gap, JournalImage, entries_of, journal_bases
from tests.unit.storage.tools.damage import flip, overwrite
from tests.unit.storage.tools.stores import record

SALT = 0x1234_5678_9ABC_DEF0
FILE_BYTES = 16 * PAGE


class Writer:
    """Writes a journal as `segue.storage.journal` does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = 0
        self.position = 0
        self.previous = NO_BATCH
        self.lsns: list[int] = []
        (root / "journal").mkdir(parents=True)
        self._make()

    def _make(self) -> None:
        (self.root / file_name(self.base)).write_bytes(bytes(FILE_BYTES))

    def batch(self, *entries: bytes) -> int:
        parts = list(entries) or [enqueue_entry([(1, len(self.lsns) + 1)], [record(1, len(self.lsns) + 1, 3000)])]
        room = padded(40 + sum(map(len, parts)))
        if self.position + room > self.base + FILE_BYTES:
            self.base = self.position = self.base + FILE_BYTES
            self._make()
        header = batch_header(len(parts), parts, self.position, self.previous, SALT)
        with overwrite(self.root / file_name(self.base)) as data:
            offset = self.position - self.base
            data[offset : offset + room] = b"".join([header, *parts]).ljust(room, b"\0")
        self.lsns.append(self.position)
        self.previous = self.position
        self.position += room
        return self.previous

    def place(self, lsn: int) -> tuple[Path, int]:
        base = lsn // FILE_BYTES * FILE_BYTES
        return self.root / file_name(base), lsn - base


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    """A journal of three files: fifteen batches of a page, one of three, that did not fit, and more of a page."""
    writer = Writer(tmp_path / "data")
    for _ in range(15):
        writer.batch()
    writer.batch(enqueue_entry([(1, 16)], [record(1, 16, 3 * PAGE - 500)]))
    for _ in range(20):
        writer.batch()
    return writer


def walk(writer: Writer, start: int = 0, previous: int | None = NO_BATCH) -> tuple[JournalImage, list[int | Gap]]:
    image = JournalImage(writer.root, SALT)
    return image, [part.lsn if isinstance(part, FoundBatch) else part for part in image.walk(start, previous)]


def test_every_batch_is_found_over_the_ends_of_files(writer: Writer) -> None:
    image, found = walk(writer)
    assert found == writer.lsns
    assert (image.position, image.previous, image.torn_bytes) == (writer.position, writer.lsns[-1], 0)
    assert (image.missing_at_start(), image.cut) == (False, {})


def test_a_walk_begins_where_the_catalog_says(writer: Writer) -> None:
    assert walk(writer, writer.lsns[5], writer.lsns[4])[1] == writer.lsns[5:]


def test_the_salt_is_that_of_most_batches(writer: Writer) -> None:
    image = JournalImage(writer.root, None)
    assert image.salt == SALT
    assert len(list(image.walk(0, None))) == len(writer.lsns)


@pytest.mark.parametrize("index", [0, 1, 7, 14, 15, 16, 33])
@pytest.mark.parametrize("offset", [0, 4, 8, 16, 24, 32, 50])
def test_a_damaged_batch_is_a_gap_and_all_others_are_found(writer: Writer, index: int, offset: int) -> None:
    path, start = writer.place(writer.lsns[index])
    flip(path, start + offset)
    _, found = walk(writer)
    assert [lsn for lsn in found if not isinstance(lsn, Gap)] == writer.lsns[:index] + writer.lsns[index + 1 :]
    (gap,) = (part for part in found if isinstance(part, Gap))
    assert (gap.until, gap.missing) == (writer.lsns[index + 1], -1)
    assert gap.lsn <= writer.lsns[index] < gap.lsn + gap.size


def test_two_damaged_places_are_two_gaps(writer: Writer) -> None:
    for index in (3, 9):
        path, start = writer.place(writer.lsns[index])
        flip(path, start + 60)
    assert len([part for part in walk(writer)[1] if isinstance(part, Gap)]) == 2


def test_a_damaged_last_batch_is_the_torn_end_of_a_crash(writer: Writer) -> None:
    path, start = writer.place(writer.lsns[-1])
    flip(path, start + 60)
    image, found = walk(writer)
    assert found == writer.lsns[:-1]
    assert image.torn_bytes > 0


def test_a_file_that_is_missing_in_the_middle_is_a_gap(writer: Writer) -> None:
    writer.place(writer.lsns[16])[0].unlink()
    (gap,) = (part for part in walk(writer)[1] if isinstance(part, Gap))
    assert gap.missing == FILE_BYTES


def test_a_file_that_is_missing_at_the_start_is_noticed(writer: Writer) -> None:
    for path in (writer.root / "journal").iterdir():
        path.unlink()
    image, found = walk(writer, writer.lsns[3], writer.lsns[2])
    assert found == []
    assert image.missing_at_start()
    assert not walk_of_nothing(writer).missing_at_start()


def walk_of_nothing(writer: Writer) -> JournalImage:
    return walk(writer)[0]


def test_a_file_that_was_made_and_never_written_to_is_no_damage(writer: Writer) -> None:
    (writer.root / file_name(writer.base + FILE_BYTES)).write_bytes(bytes(FILE_BYTES))
    image, found = walk(writer)
    assert found == writer.lsns
    assert not image.missing_at_start()


def test_what_an_older_use_left_in_a_file_is_not_taken_for_a_batch(writer: Writer, tmp_path: Path) -> None:
    other = Writer(tmp_path / "other")
    for _ in range(40):
        other.batch()
    recycled = writer.root / file_name(writer.base)
    shutil.copyfile(other.place(0)[0], recycled)
    _, found = walk(writer)
    assert found == [lsn for lsn in writer.lsns if lsn < writer.base]


@pytest.mark.parametrize("size", [0, 100, PAGE + 1])
def test_a_file_that_is_no_whole_number_of_pages_was_cut(writer: Writer, size: int) -> None:
    path = writer.place(writer.lsns[-1])[0]
    path.write_bytes(path.read_bytes()[:size])
    image, _ = walk(writer)
    assert "whole number of pages" in image.cut[f"journal/{path.name}"]


def test_a_file_that_was_cut_within_a_batch_is_told(writer: Writer) -> None:
    path, start = writer.place(writer.lsns[15])
    path.write_bytes(path.read_bytes()[: start + PAGE])
    for later in (writer.root / "journal").iterdir():
        if later > path:
            later.unlink()
    image, _ = walk(writer)
    assert "does not fit" in image.cut[f"journal/{path.name}"]


def test_one_file_is_read_wherever_it_stands_and_whatever_it_is_called(writer: Writer, tmp_path: Path) -> None:
    copy = tmp_path / "free-7.journal"
    shutil.copyfile(writer.place(writer.lsns[16])[0], copy)
    image = JournalImage(tmp_path, None, only=copy)
    assert image.files == {FILE_BYTES: FILE_BYTES}
    lsns = [part.lsn for part in image.walk(FILE_BYTES, None)]
    assert lsns == [lsn for lsn in writer.lsns if FILE_BYTES <= lsn < 2 * FILE_BYTES]


def test_only_files_with_the_name_of_an_lsn_are_in_use(writer: Writer) -> None:
    for name in ("free-1.journal", "new-2.journal", "0000.journal", "zzzzzzzzzzzzzzzz.journal", "notes.txt"):
        (writer.root / "journal" / name).write_bytes(b"x")
    assert sorted(journal_bases(writer.root)) == [0, FILE_BYTES, 2 * FILE_BYTES]


# -- entries


def only_batch(tmp_path: Path, *entries: bytes) -> FoundBatch:
    writer = Writer(tmp_path / "entries")
    writer.batch(*entries)
    (batch,) = JournalImage(writer.root, SALT).walk(0, None)
    assert isinstance(batch, FoundBatch)
    return batch


def test_entries_come_with_the_place_of_their_bytes(tmp_path: Path) -> None:
    records = [record(1, 1, 10), record(1, 2, 900)]
    batch = only_batch(
        tmp_path,
        define_entry({"do": "log", "id": 1, "definition": {}}),
        enqueue_entry([(1, 1), (5, 9)], records),
        settle_entry(2, [(1, 2)]),
    )
    define, enqueue, settle = entries_of(batch)
    assert isinstance(define.entry, Define)
    assert isinstance(settle.entry, Settle)
    assert isinstance(enqueue.entry, Enqueue)
    data = (tmp_path / "entries" / batch.path).read_bytes()
    assert data[enqueue.offset : enqueue.offset + enqueue.size].endswith(b"".join(records))


def test_an_entry_of_a_newer_segue_is_refused(tmp_path: Path) -> None:
    batch = only_batch(tmp_path, b"\x63\0\0\0\x04\0\0\0abcd")
    with pytest.raises(NewerFormatError):
        list(entries_of(batch))


@pytest.mark.parametrize("spoil", [lambda data: data[:-20], lambda data: data[:5]])
def test_sizes_that_do_not_add_up_are_damage(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    batch = only_batch(tmp_path, settle_entry(2, [(1, 2), (4, 9)]))
    spoiled: Any = batch._replace(data=spoil(batch.data))
    with pytest.raises((RecordDamagedError, ValueError)):
        list(entries_of(spoiled))
