"""A segment file as it stands on disk: every row that is sound, in order, and what is wrong with the rest.

A row says which block it is, by a checksum over the store's salt, the log and its numbers; and each record has one of
its own. So a row can be trusted wherever it is found: where SQLite can't get to it any more, pages are looked at one by
one (pages.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from segue.storage.block import PackedBlock
from segue.storage.errors import NewerFormatError
from segue.storage.segment import SEGMENT_FORMAT, SEGMENTS_DIRECTORY, row_checksum
from segue.storage.tools.pages import SQLITE_MAGIC, raw_rows_of

__all__ = ["SegmentImage", "SegmentName", "read_segment_name", "salt_of_segment", "segment_names"]

_COLUMNS: Final = 6
_FAULTS_TOLD_MAX: Final = 5
_SQL: Final = "SELECT first, last, count, previous, crc, records FROM block ORDER BY first"

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What the path of a segment says: `segments/<log>/<first>-<last>.db`."""

    path: str
    log: int
    first: int
    last: int


def segment_names(root: Path) -> Iterator[tuple[str, SegmentName | None]]:
    """Every file below `segments/`, and what its name says; None for one that is called otherwise."""
    for path in sorted((root / SEGMENTS_DIRECTORY).rglob("*")):
        if not path.is_dir():
            relative = path.relative_to(root).as_posix()
            yield relative, read_segment_name(relative)


def read_segment_name(path: str) -> SegmentName | None:
    """What a path relative to the data directory says; None when it is no segment's."""
    folder, _, rest = path.partition("/")
    log, _, name = rest.partition("/")
    first, _, last = name.removesuffix(".db").partition("-")
    if folder != SEGMENTS_DIRECTORY or not name.endswith(".db") or not all(map(_is_number, (log, first, last))):
        return None
    return SegmentName(path, int(log), int(first), int(last))


def salt_of_segment(file: Path) -> int | None:
    """The store's random number, as a segment says it; None where it can't be read."""
    for row in raw_rows_of(file):
        key, value = row.columns if len(row.columns) == 2 else ("", "")
        if key == "salt" and isinstance(value, str) and len(value) == 16:
            try:
                return int(value, 16)
            except ValueError:
                continue
    return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


@dataclass(slots=True)
class SegmentImage:
    """One file.

    Attributes:
        problems: what is wrong with the file as a whole, for people.
        meta: its table of that name.
    """

    file: Path
    log: int
    salt: int
    problems: list[str] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)

    def blocks(self) -> Iterator[PackedBlock]:
        """Every block whose row is sound, rising. Fills `problems` and `meta`.

        Raises:
            NewerFormatError: a newer Segue wrote it.
            OSError: it can't be read.
        """
        with open(self.file, "rb") as file:
            magic = file.read(len(SQLITE_MAGIC))
        if magic != SQLITE_MAGIC:
            self.problems.append("it does not begin as a SQLite file does" if magic else "it is empty")
        reached = 0
        try:
            for block in self._by_sqlite():
                reached = block.last
                yield block
        except sqlite3.Error as error:
            self.problems.append(f"SQLite: {error}")
        else:
            return
        for block in sorted(self._from_pages()):
            if block.first > reached:
                yield block
                reached = block.last

    def _by_sqlite(self) -> Iterator[PackedBlock]:
        """All blocks, up to an error."""
        # Read by one thread at a time, but not always by the same.
        uri = f"file:{quote(str(self.file))}?mode=ro&immutable=1"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        try:
            connection.execute("PRAGMA cell_size_check=ON")
            self.meta = {str(key): value for key, value in connection.execute("SELECT key, value FROM meta")}
            self._check_meta()
            told = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_FAULTS_TOLD_MAX})")]
            if told != ["ok"]:
                raise sqlite3.DatabaseError("; ".join(" ".join(str(text).split()) for text in told))
            previous = 0
            for row in connection.execute(_SQL):
                block = self._accept(row)
                if block is None:
                    self.problems.append(f"the checksum of the row of block {row[0]!r} is wrong")
                    continue
                if row[3] != previous:
                    self.problems.append(f"a block is missing between messages {previous} and {block.first}")
                previous = block.last
                yield block
        finally:
            connection.close()

    def _check_meta(self) -> None:
        version = self.meta.get("format")
        if isinstance(version, int) and version > SEGMENT_FORMAT:
            raise NewerFormatError(self.file, version, SEGMENT_FORMAT)
        if (version, self.meta.get("log"), self.meta.get("salt")) != (SEGMENT_FORMAT, self.log, f"{self.salt:016x}"):
            self.problems.append(f"it does not say that it is a segment of log {self.log} of this store")

    def _accept(self, row: Row) -> PackedBlock | None:
        first, last, count, previous, crc, records = row
        numbers = (first, last, count, previous, crc)
        if not all(isinstance(n, int) and 0 <= n < 1 << 63 for n in numbers) or not isinstance(records, bytes):
            return None
        if crc != row_checksum(self.salt, self.log, first, last, count, previous):
            return None
        return PackedBlock(first, last, count, records)

    def _from_pages(self) -> Iterator[PackedBlock]:
        for row in raw_rows_of(self.file):
            if row.rowid is not None and len(row.columns) == _COLUMNS:
                block = self._accept((row.rowid, *row.columns[1:]))
                if block is not None:
                    yield block
