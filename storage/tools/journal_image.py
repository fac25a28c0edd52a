"""The journal as it stands on disk: every batch that is whole, and a gap where something is damaged or missing.

Recovery (`segue.storage.scan`) stops at the first batch that is not whole and refuses to go on if one follows. Here the
walk goes on behind it, so that an operator can see, and bring to safety, what is there.

Each batch names the one before it. So a gap between two batches is known for what it is: nothing, where the second
names the first (the end of a file that was too short for the next batch); lost batches, where it names another.
"""

from __future__ import annotations

import errno
import os
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from segue.storage.entries import (
    BATCH_HEADER_SIZE,
    PAGE,
    BatchHeader,
    Entry,
    UnknownEntryError,
    decode_entries,
    padded,
    parse_batch_header,
)
from segue.storage.errors import NewerFormatError, RecordDamagedError
from segue.storage.journal import JOURNAL_DIRECTORY, file_name

__all__ = ["FoundBatch", "FoundEntry", "Gap", "JournalImage", "entries_of", "journal_bases"]

_ENTRY: Final = struct.Struct("<BxxxI")
_ENTRY_TYPES_KNOWN: Final = 6


class FoundBatch(NamedTuple):
    """A batch whose checksum is right. `data` are its entries; `offset` is where it begins in its file."""

    lsn: int
    header: BatchHeader
    path: str
    offset: int
    data: bytes


class FoundEntry(NamedTuple):
    """An entry, and where the bytes behind its own head begin in the journal file."""

    entry: Entry
    offset: int
    size: int


class Gap(NamedTuple):
    """Batches are lost between two that are whole. `missing`: LSN from which on a file is missing, -1 for none."""

    lsn: int
    until: int
    path: str
    offset: int
    missing: int

    @property
    def size(self) -> int:
        """Bytes of the journal."""
        return self.until - self.lsn


def journal_bases(root: Path) -> dict[int, int]:
    """First LSN → size of every journal file in use."""
    found = {}
    folder = root / JOURNAL_DIRECTORY
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        stem = name.removesuffix(".journal")
        if stem != name and _is_lsn(stem):
            found[int(stem, 16)] = (folder / name).stat().st_size
    return found


def entries_of(batch: FoundBatch) -> Iterator[FoundEntry]:
    """The entries of a batch.

    Raises:
        NewerFormatError: an entry of a type that this version does not know.
        RecordDamagedError: sizes don't add up, although the checksum is right.
    """
    at = 0
    for _ in range(batch.header.entries):
        if at + _ENTRY.size > len(batch.data):
            raise RecordDamagedError(f"an entry at byte {at} of {len(batch.data)} is cut short")
        _, size = _ENTRY.unpack_from(batch.data, at)
        end = at + _ENTRY.size + size
        try:
            (entry,) = decode_entries(batch.data[at:end], 1)
        except UnknownEntryError as error:
            kind = batch.data[at]
            raise NewerFormatError(Path(batch.path), kind, _ENTRY_TYPES_KNOWN) from error
        yield FoundEntry(entry, batch.offset + BATCH_HEADER_SIZE + at + _ENTRY.size, size)
        at = end


def _base_of_file(path: Path) -> dict[int, int]:
    """First LSN → size of one file: as the first head of a batch in it says, or its name."""
    size = path.stat().st_size
    with open(path, "rb", buffering=0) as file:
        for offset in range(0, size, PAGE):
            header = parse_batch_header(os.pread(file.fileno(), BATCH_HEADER_SIZE, offset))
            if header is not None and header.lsn >= offset:
                return {header.lsn - offset: size}
    stem = path.name.removesuffix(".journal")
    return {int(stem, 16) if _is_lsn(stem) else 0: size}


def _is_lsn(stem: str) -> bool:
    return len(stem) == 16 and all(digit in "0123456789abcdef" for digit in stem)


class JournalImage:
    """A walk over the journal of a data directory.

    Attributes:
        files: as `journal_bases` gives them.
        position, previous: LSN behind the last whole batch, and its own; of what was walked so far.
        torn_bytes: after the walk: size of the batch at `position` that a crash has cut short, 0 for none.
        cut: files that were longer once: path → how that shows. A file has its size before it has its name.
    """

    def __init__(self, root: Path, salt: int | None, *, only: Path | None = None) -> None:
        """Look at what is in `journal/`.

        Args:
            root: the data directory.
            salt: the store's random number; None: that of most batches.
            only: look at this file alone, wherever it stands and whatever it is called.
        """
        self._root = root
        self._only = only
        self.files = journal_bases(root) if only is None else _base_of_file(only)
        self._open: tuple[int, int] | None = None
        self._salt = salt if salt is not None else self._usual_salt()
        self.position = 0
        self.previous: int | None = None
        self.torn_bytes = 0
        self.cut = {
            file_name(base): f"it has {size} bytes, no whole number of pages"
            for base, size in self.files.items()
            if size <= 0 or size % PAGE
        }

    @property
    def salt(self) -> int | None:
        """The store's random number; None when no batch tells it."""
        return self._salt

    @property
    def oldest(self) -> int:
        """First LSN of the files that are there; 0 when there are none."""
        return min(self.files, default=0)

    def walk(self, start: int, previous: int | None) -> Iterator[FoundBatch | Gap]:
        """Every whole batch from `start` on, and a gap before each that does not follow the one before.

        Args:
            start: LSN.
            previous: LSN of the batch before it; None when that is not known, and then nothing is missing before the
                first batch that is found.
        """
        self.position, self.previous = start, previous
        try:
            while (batch := self._find(self.position)) is not None:
                if self.previous is not None and batch.header.previous != self.previous:
                    yield self._gap(batch.lsn)
                self.previous = batch.lsn
                self.position = batch.lsn + padded(batch.header.size)
                yield batch
            self._look_at_the_end()
        finally:
            self._close()

    def missing_at_start(self) -> bool:
        """After the walk: True when no file holds the position, although it is not the very end of one."""
        at_end = any(base + size == self.position for base, size in self.files.items())
        inside = self._base_of(self.position) is not None
        never_was_one = not self.files and self.position == 0
        return not (inside or at_end or never_was_one)

    def _find(self, position: int) -> FoundBatch | None:
        """The first whole batch from a position on, in whatever file."""
        for base in sorted(self.files):
            if base + self.files[base] <= position:
                continue
            for lsn in range(max(base, position), base + self.files[base], PAGE):
                batch = self._batch_at(base, lsn)
                if batch is not None:
                    return batch
        return None

    def _batch_at(self, base: int, lsn: int) -> FoundBatch | None:
        offset = lsn - base
        header = parse_batch_header(self._read(base, offset, BATCH_HEADER_SIZE))
        if header is None or header.lsn != lsn or header.salt != self._salt:
            return None
        if offset + header.size > self.files[base]:
            return None
        whole = self._read(base, offset, header.size)
        if len(whole) < header.size or crc32(memoryview(whole)[12:]) != header.crc:
            return None
        return FoundBatch(lsn, header, file_name(base), offset, whole[BATCH_HEADER_SIZE:])

    def _gap(self, until: int) -> Gap:
        base = self._base_of(self.position)
        missing = self._first_missing(self.position, until)
        if base is None:
            return Gap(self.position, until, file_name(missing if missing >= 0 else until), -1, missing)
        return Gap(self.position, until, file_name(base), self.position - base, missing)

    def _first_missing(self, start: int, end: int) -> int:
        """The first LSN in [start, end) that no file holds; -1 when all are held."""
        while start < end:
            base = self._base_of(start)
            if base is None:
                return start
            start = base + self.files[base]
        return -1

    def _look_at_the_end(self) -> None:
        """A batch that is not whole begins at the position, or, where the file had no room for it, the next file."""
        here = self._base_of(self.position)
        places = [(here, self.position)] if here is not None else []
        places += [(base, base) for base in self.files if base > self.position]
        for base, lsn in places:
            header = parse_batch_header(self._read(base, lsn - base, BATCH_HEADER_SIZE))
            if header is None or header.lsn != lsn or header.salt != self._salt:
                continue
            if lsn + padded(header.size) > base + self.files[base]:
                self.cut.setdefault(file_name(base), f"a batch of {header.size} bytes begins in it, and does not fit")
            else:
                self.torn_bytes = header.size

    def _base_of(self, lsn: int) -> int | None:
        return next((base for base, size in self.files.items() if base <= lsn < base + size), None)

    def _read(self, base: int, offset: int, size: int) -> bytes:
        """Bytes of a file; none where the disk does not give them, or where a daemon has just taken the file away."""
        try:
            if self._open is None or self._open[0] != base:
                self._close()
                path = self._only or self._root / file_name(base)
                self._open = base, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._open[1], size, offset)
        except OSError as error:
            if error.errno not in (errno.EIO, errno.ENOENT):
                raise
            return b""

    def _close(self) -> None:
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def _usual_salt(self) -> int | None:
        """The salt that most pages with a batch's head name, of those that stand in their own place."""
        votes: Counter[int] = Counter()
        for base, size in self.files.items():
            for offset in range(0, size, PAGE):
                header = parse_batch_header(self._read(base, offset, BATCH_HEADER_SIZE))
                if header is not None and header.lsn == base + offset:
                    votes[header.salt] += 1
        self._close()
        return votes.most_common(1)[0][0] if votes else None
