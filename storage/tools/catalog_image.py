"""The catalog as it stands on disk at one moment, read without touching it; damaged rows are found and left out.

SQLite would write into a directory that it opens: it recovers a write-ahead log, it makes files. So the two files are
put together in a temporary file, and SQLite gets that. A daemon may be running meanwhile: the files are read twice, and
again until both readings are the same.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from segue.storage.block import PackedBlock
from segue.storage.catalog import APPLICATION_ID, CATALOG, CATALOG_FORMAT
from segue.storage.catalog_rows import (
    TABLES,
    CursorState,
    LogState,
    cursor_of,
    log_of,
    loose_extent_of,
    meta_of,
    segment_extent_of,
)
from segue.storage.errors import NewerFormatError
from segue.storage.log import Extent
from segue.storage.tools.finding import Finding, FindingKind
from segue.storage.tools.pages import SQLITE_MAGIC, RawRow, raw_rows_of
from segue.storage.tools.wal import read_wal

__all__ = ["WAL", "CatalogImage", "open_catalog_image"]

WAL: Final = f"{CATALOG}-wal"

_HEAD_BYTES: Final = 100
_COPY_BYTES: Final = 1 << 20
_VERSION_AT: Final = 60
_APPLICATION_AT: Final = 68
_ATTEMPTS: Final = 20
_PAUSE_SECONDS: Final = 0.05
_FAULTS_TOLD_MAX: Final = 20
_SQL: Final = {
    "meta": "SELECT key, value FROM meta",
    "log": "SELECT id, head, definition, crc FROM log ORDER BY id",
    "cursor": "SELECT id, log, next, promised, holes, quarantined, definition, crc FROM cursor ORDER BY id",
    "segment": "SELECT log, first, last, path, messages, bytes, written_ms, file_bytes, crc FROM segment",
    "loose": "SELECT log, first, last, messages, written_ms, crc, records FROM loose ORDER BY log, first",
}
_SQL_OF_LOG: Final = _SQL["loose"].replace("FROM loose", "FROM loose WHERE log=?")
# How many columns a row has in a page, and whether one of them is the rowid, which stands beside the columns.
_RAW: Final = {"meta": (2, False), "log": (4, True), "cursor": (8, True), "segment": (9, False), "loose": (7, False)}

Row = tuple[Any, ...]


@dataclass(slots=True)
class CatalogImage:
    """What could be read of a catalog.

    Attributes:
        meta: the table of that name; empty when it can't be read.
        logs, cursors: by id.
        extents: by log, rising.
        findings: what is wrong with it.
        is_whole: nothing is missing: every row that was written is here.
    """

    meta: dict[str, Any] = field(default_factory=dict)
    logs: dict[int, LogState] = field(default_factory=dict)
    cursors: dict[int, CursorState] = field(default_factory=dict)
    extents: dict[int, list[Extent]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    is_whole: bool = False
    _rows: Callable[[str, int | None], Iterator[Row]] = lambda table, log_id: iter(())

    @property
    def salt(self) -> int | None:
        """The store's random number."""
        return int(self.meta["salt"], 16) if self.meta else None

    @property
    def lsn(self) -> int:
        """Where replay starts; 0 when that is not known."""
        return int(self.meta["lsn"]) if self.meta else 0

    @property
    def previous(self) -> int | None:
        """LSN of the batch before `lsn`; None when that is not known."""
        return int(self.meta["previous"], 16) if self.meta else None

    def loose_blocks(self, log_id: int | None = None) -> Iterator[tuple[int, PackedBlock]]:
        """(log, block) of every loose block whose row is sound; of one log, or of all."""
        for row in self._rows("loose", log_id):
            if log_id in (None, row[0]) and _loose(row) is not None:
                yield row[0], PackedBlock(row[1], row[2], row[3], row[6])


@contextmanager
def open_catalog_image(root: Path) -> Iterator[CatalogImage]:
    """Read the catalog of a data directory; the image can be used inside the block.

    Raises:
        NewerFormatError: a newer Segue wrote it.
        OSError: it can't be read.
    """
    if not (root / CATALOG).exists():
        yield CatalogImage(findings=[_finding("it is missing")])
        return
    image = CatalogImage()
    with tempfile.TemporaryDirectory(prefix="segue-catalog-") as folder:
        copy = Path(folder) / CATALOG
        with open(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "r+b") as file:
            wal_data = _copy(root, file)
            _apply(wal_data, file, image)
            file.seek(0)
            _check_head(file.read(_HEAD_BYTES), image)
        connection = sqlite3.connect(f"file:{quote(str(copy))}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        try:
            reader = _Reader(connection, copy, image)
            image._rows = reader.rows
            reader.read()
            image.is_whole &= not any(finding.kind is FindingKind.WAL for finding in image.findings)
            yield image
        finally:
            connection.close()


def _apply(wal_data: bytes, file: BinaryIO, image: CatalogImage) -> None:
    wal = read_wal(wal_data)
    if wal.damaged_at >= 0:
        problem = "a frame is damaged, and commits behind it are whole: they would be forgotten"
        image.findings.append(Finding(FindingKind.WAL, WAL, problem, wal.damaged_at))
    if wal.torn_at >= 0:
        problem = "a commit that a crash has cut short"
        image.findings.append(Finding(FindingKind.TORN, WAL, problem, wal.torn_at, len(wal_data) - wal.torn_at))
    wal.apply(file)


class _Reader:
    """Reads rows by way of SQLite, and those of a table that it can't read from the pages."""

    def __init__(self, connection: sqlite3.Connection, path: Path, image: CatalogImage) -> None:
        self._connection = connection
        self._path = path
        self._image = image
        self._extents: set[tuple[int, Extent]] = set()
        self._raw: list[RawRow] | None = None
        self._unreadable: set[str] = set()

    def read(self) -> None:
        """Fill the image."""
        image = self._image
        self._check_pages()
        meta = list(self.rows("meta"))
        try:
            image.meta = meta_of(meta)
        except (ValueError, TypeError) as error:
            image.findings.append(_finding(str(error)))
        self._take("log", log_of, self._keep_log)
        self._take("cursor", cursor_of, self._keep_cursor)
        counts = {"log": len(image.logs), "cursor": len(image.cursors)}
        counts["segment"] = self._take("segment", segment_extent_of, self._keep_extent)
        counts["loose"] = self._take("loose", _loose, self._keep_extent)
        for extents in image.extents.values():
            extents.sort()
        image.is_whole = bool(image.meta)
        for table in TABLES if image.meta else ():
            if counts[table] != image.meta[f"{table}_rows"]:
                image.is_whole = False
                written = image.meta[f"{table}_rows"]
                image.findings.append(
                    _finding(f"its table {table} has {counts[table]} sound rows, written were {written}")
                )

    def rows(self, table: str, log_id: int | None = None) -> Iterator[Row]:
        """All rows of a table, sound or not; or at least those of one log (`loose` only)."""
        if table not in self._unreadable:
            try:
                if log_id is None:
                    yield from self._connection.execute(_SQL[table])
                else:
                    yield from self._connection.execute(_SQL_OF_LOG, (log_id,))
                return
            except sqlite3.Error as error:
                self._unreadable.add(table)
                self._image.findings.append(_finding(f"its table {table} can't be read: {error}"))
        # Rows that came before the error come again: who takes them takes each once.
        yield from self._raw_rows(table)

    def _raw_rows(self, table: str) -> Iterator[Row]:
        if self._raw is None:
            self._raw = list(raw_rows_of(self._path))
        width, has_rowid = _RAW[table]
        for row in self._raw:
            if len(row.columns) == width:
                yield (row.rowid, *row.columns[1:]) if has_rowid else row.columns

    def _take(self, table: str, unpack: Callable[[Row], Any], keep: Callable[[Any], bool]) -> int:
        """Keep every sound row; returns how many those are. Rows of other tables fail their checksum."""
        count = bad = 0
        for row in self.rows(table):
            try:
                state = unpack(row)
                if state is None:
                    raise ValueError(f"the checksum of row {row[0]!r} of its table {table} is wrong")
            except (ValueError, TypeError, AttributeError) as error:
                bad += 1
                if table not in self._unreadable and bad <= _FAULTS_TOLD_MAX:
                    self._image.findings.append(_finding(str(error)))
                continue
            count += keep(state)
        return count

    def _keep_log(self, state: LogState) -> bool:
        known = self._image.logs.get(state.id)
        if known is None or state.head > known.head:
            self._image.logs[state.id] = state
        return known is None

    def _keep_cursor(self, state: CursorState) -> bool:
        # Of an old and a new copy of a row the one that is further is the new one.
        known = self._image.cursors.get(state.id)
        if known is None or state.next > known.next:
            self._image.cursors[state.id] = state
        return known is None

    def _keep_extent(self, named: tuple[int, Extent]) -> bool:
        if named in self._extents:
            return False
        self._extents.add(named)
        self._image.extents.setdefault(named[0], []).append(named[1])
        return True

    def _check_pages(self) -> None:
        try:
            told = [str(row[0]) for row in self._connection.execute(f"PRAGMA integrity_check({_FAULTS_TOLD_MAX})")]
        except sqlite3.Error as error:
            told = [str(error)]
        if told != ["ok"]:
            self._image.findings += [_finding(f"SQLite: {' '.join(text.split())}") for text in told]


def _loose(row: Row) -> tuple[int, Extent] | None:
    """A row of `loose` as an extent; None for a damaged one."""
    log, first, last, messages, written_ms, crc, records = row
    if not isinstance(records, bytes):
        return None
    try:
        return loose_extent_of((log, first, last, messages, len(records), written_ms, crc))
    except ValueError:
        return None


def _copy(root: Path, target: BinaryIO) -> bytes:
    """Copy the database as it stood at one moment; returns the write-ahead log of that moment.

    Pages go from the log into the database only while the log is whole, and it is begun anew only when all of them are
    there: so two equal readings of both are a state that a crash could have left.
    """
    for _ in range(_ATTEMPTS):
        target.seek(0)
        target.truncate()
        digest, wal_data = _read(root, target)
        if (digest, wal_data) == _read(root, None):
            return wal_data
        time.sleep(_PAUSE_SECONDS)
    raise OSError(f"{root / CATALOG}: it changes faster than it can be read")


def _read(root: Path, target: BinaryIO | None) -> tuple[bytes, bytes]:
    """A digest of the database, which is copied on the way, and the whole log."""
    digest = hashlib.blake2b()
    with open(root / CATALOG, "rb") as file:
        while part := file.read(_COPY_BYTES):
            digest.update(part)
            if target is not None:
                target.write(part)
    try:
        return digest.digest(), (root / WAL).read_bytes()
    except FileNotFoundError:
        return digest.digest(), b""


def _check_head(head: bytes, image: CatalogImage) -> None:
    """The format comes first: of a newer one, nothing else may be believed."""
    version = int.from_bytes(head[_VERSION_AT : _VERSION_AT + 4], "big")
    is_ours = int.from_bytes(head[_APPLICATION_AT : _APPLICATION_AT + 4], "big") == APPLICATION_ID
    if head.startswith(SQLITE_MAGIC) and is_ours and version > CATALOG_FORMAT:
        raise NewerFormatError(Path(CATALOG), version, CATALOG_FORMAT)
    if not head.startswith(SQLITE_MAGIC):
        image.findings.append(_finding("it does not begin as a SQLite file does", 0, 16))
    elif not is_ours:
        image.findings.append(_finding("it does not say that it is a catalog of Segue", _APPLICATION_AT, 4))
    elif version < 1:
        image.findings.append(_finding("its format version is 0", _VERSION_AT, 4))


def _finding(problem: str, offset: int = -1, size: int = -1) -> Finding:
    return Finding(FindingKind.CATALOG, CATALOG, problem, offset, size)
