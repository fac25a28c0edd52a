"""Reading the journal back: every valid batch from an LSN on, and the verdict on what follows the last one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from segue.storage.disk import Disk, File
from segue.storage.entries import BATCH_HEADER_SIZE, PAGE, BatchHeader, padded, parse_batch_header
from segue.storage.errors import DamagedStoreError
from segue.storage.journal import JOURNAL_DIRECTORY, file_name

__all__ = ["JournalScan", "ScannedBatch", "journal_files"]


class ScannedBatch(NamedTuple):
    """A batch whose checksum is right; `data` are its entries."""

    lsn: int
    header: BatchHeader
    data: bytes


def journal_files(disk: Disk) -> dict[int, int]:
    """First LSN → size of every journal file in use (spare files have other names)."""
    found = {}
    for name in disk.list(JOURNAL_DIRECTORY):
        stem = name.removesuffix(".journal")
        if len(stem) == 16 and stem != name:
            try:
                lsn = int(stem, 16)
            except ValueError:
                continue
            found[lsn] = disk.size(f"{JOURNAL_DIRECTORY}/{name}")
    return found


class JournalScan:
    """Iterate over the valid batches from `start`.

    Attributes:
        position: LSN behind the last valid batch seen so far.
        previous: LSN of that batch.
        files: as `journal_files` gives them.
        torn_bytes: after the end, size that a cut batch at `position` claims, 0 for none.
    """

    def __init__(self, disk: Disk, start: int, previous: int, salt: int) -> None:
        self._disk = disk
        self._salt = salt
        self.position = start
        self.previous = previous
        self.files = journal_files(disk)
        self.torn_bytes = 0
        self._open: tuple[int, File] | None = None

    def __iter__(self) -> Iterator[ScannedBatch]:
        """Raises DamagedStoreError when an invalid batch is followed by a valid one, or a file is missing or cut."""
        try:
            self._check_sizes()
            while (batch := self._next()) is not None:
                self.previous = batch.lsn
                self.position = batch.lsn + padded(batch.header.size)
                yield batch
        finally:
            self.close()

    def close(self) -> None:
        """Close the file under the scan."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _next(self) -> ScannedBatch | None:
        base = self._base_of(self.position)
        if base is None:
            self._check_end()
            return None
        if (batch := self._batch_at(base, self.position)) is not None and batch.header.previous == self.previous:
            return batch
        # The writer goes to the next file where a batch does not fit: the chain of `previous` proves it.
        after = base + self.files[base]
        if after in self.files and (rolled := self._batch_at(after, after)) and rolled.header.previous == self.previous:
            return rolled
        self._refuse_damage(base)
        header = parse_batch_header(self._file(base).read(self.position - base, BATCH_HEADER_SIZE))
        self.torn_bytes = header.size if header and header.lsn == self.position else 0
        return None

    def _check_sizes(self) -> None:
        """A file gets its name when it is complete (spares.py); afterwards its size never changes."""
        for base, size in self.files.items():
            if size <= 0 or size % PAGE:
                raise DamagedStoreError(Path(file_name(base)), -1, -1, f"it has {size} bytes, no whole number of pages")

    def _check_end(self) -> None:
        """No file holds `position`: fine at the very end, or when there never was a file."""
        later = [base for base in self.files if base > self.position]
        at_end = any(base + size == self.position for base, size in self.files.items())
        if later or (self.files and not at_end) or (not self.files and self.position > 0):
            path = Path(file_name(self.position))
            raise DamagedStoreError(path, -1, -1, f"the journal file that holds LSN {self.position} is missing")

    def _base_of(self, lsn: int) -> int | None:
        return next((base for base, size in self.files.items() if base <= lsn < base + size), None)

    def _file(self, base: int) -> File:
        if self._open is None or self._open[0] != base:
            self.close()
            self._open = base, self._disk.open(file_name(base))
        return self._open[1]

    def _batch_at(self, base: int, lsn: int) -> ScannedBatch | None:
        file = self._file(base)
        header = parse_batch_header(file.read(lsn - base, BATCH_HEADER_SIZE))
        if header is None or header.lsn != lsn or header.salt != self._salt:
            return None
        # The size is a claim until the checksum has been seen; it can't exceed the file.
        if lsn - base + padded(header.size) > self.files[base]:
            return None
        data = file.read(lsn - base, header.size)
        if crc32(memoryview(data)[12:]) != header.crc:
            return None
        return ScannedBatch(lsn, header, data[BATCH_HEADER_SIZE:])

    def _refuse_damage(self, base: int) -> None:
        for first in sorted(b for b in self.files if b >= base):
            start = max(first, self.position)
            for lsn in range(start, first + self.files[first], PAGE):
                if lsn != self.position and self._batch_at(first, lsn) is not None:
                    self._raise_damage(base, lsn)
        if (batch := self._batch_at(base, self.position)) is not None:
            self._raise_damage(base, batch.lsn)

    def _raise_damage(self, base: int, found: int) -> None:
        raise DamagedStoreError(
            Path(file_name(base)),
            self.position - base,
            found - self.position,
            f"a batch here is damaged, and a valid one follows at LSN {found}",
        )
