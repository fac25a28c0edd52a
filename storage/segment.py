"""Segment files: a run of one log's old messages in a SQLite file that never changes.

    meta(key, value)                                            format, log, salt
    block(first, last, count, previous, crc, records)           blocks (block.py), rising

A segment is written once into a file that nobody knows, synced with its folder, and then named in the catalog; after
that any number of readers open it as immutable. `meta` tells a file that strayed in from elsewhere.

`previous` is the last number of the block before, 0 for the first: so a reader sees that a block is missing, and is
not taken in by a damaged page of the b-tree. `crc` is over the numbers of the row; records carry their own.

A version bump: `SEGMENT_FORMAT`, docs/formats/segment.md, and `CATALOG_FORMAT`, which an older Segue looks at first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import trio

from segue.storage.block import PackedBlock
from segue.storage.disk import Database, Disk, Row
from segue.storage.errors import DatabaseDamagedError, NewerFormatError
from segue.storage.quarantine import Damage

__all__ = [
    "SEGMENTS_DIRECTORY",
    "SEGMENT_FORMAT",
    "SegmentReader",
    "open_segment",
    "row_checksum",
    "segment_path",
    "write_segment",
]

SEGMENTS_DIRECTORY: Final = "segments"
SEGMENT_FORMAT: Final = 1

_ROWS_A_STEP: Final = 128
"""Rows in one INSERT: one `sqlite3_step`, and so one hand-over of the GIL, for 8,192 messages."""
_PIECE_BYTES: Final = 4 << 20
"""What is written before it is synced."""
_ROWS_READ_MAX: Final = 64
_OUT_OF_ORDER: Final = "a page of the segment has its rows out of order"
"""SQLite does not notice, and answers a search for the next row with one that was there already: without this, a reader
asked again and again, for ever."""
_COLUMNS: Final = 6
_SCHEMA: Final = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    (
        "CREATE TABLE block(first INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL,"
        " previous INTEGER NOT NULL, crc INTEGER NOT NULL, records BLOB NOT NULL)"
    ),
)
_ROW: Final = struct.Struct("<QQQQQQ")


def segment_path(log_id: int, first: int, last: int) -> str:
    """Path of the segment file for a run of a log."""
    return f"{SEGMENTS_DIRECTORY}/{log_id}/{first}-{last}.db"


def row_checksum(salt: int, log_id: int, first: int, last: int, count: int, previous: int) -> int:
    """The `crc` of a row: CRC-32 of six little-endian u64."""
    return crc32(_ROW.pack(salt, log_id, first, last, count, previous))


async def write_segment(disk: Disk, path: str, log_id: int, salt: int, blocks: Iterable[PackedBlock]) -> None:
    """Write a segment file and make it durable. Until the catalog names it, it is garbage.

    Raises:
        OSError, DatabaseDamagedError: it could not be written; what there is of it is removed.
    """
    folder = path.rpartition("/")[0]
    await trio.to_thread.run_sync(disk.make_directory, folder)
    await trio.to_thread.run_sync(disk.unlink, path)  # garbage of a checkpoint that did not come to its end
    try:
        database = await disk.open_database(path, mode="build")
        try:
            for statement in _SCHEMA:
                await database.execute(statement)
            meta: list[tuple[str, Any]] = [("format", SEGMENT_FORMAT), ("log", log_id), ("salt", f"{salt:016x}")]
            await database.execute_many([("INSERT INTO meta VALUES(?,?)", meta)])
            rows = _rows(blocks, log_id, salt)
            while await _insert(database, rows):
                # Piece by piece: a whole segment at once is a wave of writes that the commits of messages wait behind.
                await trio.to_thread.run_sync(disk.sync_file, path)
            await database.commit()
        finally:
            with trio.CancelScope(shield=True):
                await database.close()
        await trio.to_thread.run_sync(disk.sync_file, path)
        await trio.to_thread.run_sync(disk.sync_directory, folder)
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(disk.unlink, path)
        raise


def _rows(blocks: Iterable[PackedBlock], log_id: int, salt: int) -> Iterator[Row]:
    previous = 0
    for first, last, count, records in blocks:
        yield first, last, count, previous, row_checksum(salt, log_id, first, last, count, previous), records
        previous = last


async def _insert(database: Database, rows: Iterator[Row]) -> bool:
    """Insert some MiB of rows with few statements. True when there may be more.

    `rows` is consumed bit by bit in the database's thread.
    """
    one = f"({','.join('?' * _COLUMNS)})"
    left: list[Row] = []
    inserted_bytes = 0

    def full_statements() -> Iterator[list[Any]]:
        nonlocal inserted_bytes
        while inserted_bytes < _PIECE_BYTES:
            chunk = _take(rows)
            inserted_bytes += sum(len(row[-1]) for row in chunk)
            if len(chunk) < _ROWS_A_STEP:
                left.extend(chunk)
                return
            yield [value for row in chunk for value in row]

    many = ",".join([one] * _ROWS_A_STEP)
    await database.execute_many(
        [(f"INSERT INTO block VALUES {many}", full_statements()), (f"INSERT INTO block VALUES {one}", left)]  # noqa: S608
    )
    return inserted_bytes >= _PIECE_BYTES


def _take(rows: Iterator[Row]) -> list[Row]:
    """Rows for one statement; fewer when there are no more, or when they are so large that they are a piece."""
    chunk: list[Row] = []
    size = 0
    for row in islice(rows, _ROWS_A_STEP):
        chunk.append(row)
        size += len(row[-1])
        if size >= _PIECE_BYTES:
            break
    return chunk


class SegmentReader:
    """Reads one segment from a number on, and notices what is missing. Made by `open_segment`.

    Attributes:
        position: everything below was returned, or reported as damaged, or does not exist.
        damage: what was found damaged; whoever has taken note of it may empty the list.
    """

    def __init__(self, database: Database, checksum_of: tuple[int, int], position: int, last: int) -> None:
        self._database = database
        self._salt, self._log_id = checksum_of
        self._last = last
        self._row = -1
        """`first` of the last row read, -1 before the first."""
        self.position = position
        self.damage: list[Damage] = []

    @property
    def done(self) -> bool:
        """True when the segment has no more."""
        return self.position > self._last

    async def read(self, bytes_max: int) -> list[PackedBlock]:
        """About `bytes_max` bytes of blocks; more if the next one alone has more.

        Raises:
            OSError: the disk does not give them.
        """
        try:
            if self._row < 0:
                self._row = await self._row_before()
            before = self._row
            count = await self._rows_within(bytes_max)
            rows = await self._fetch(count)
        except DatabaseDamagedError as error:
            return await self._read_what_is_there(str(error))
        blocks = self._accept_all(rows)
        if len(rows) < count:
            self._lose(self._last, "the segment ends too early")
        elif self._row <= before:
            self._lose(self._last, _OUT_OF_ORDER)
        return blocks

    async def close(self) -> None:
        """Close the file."""
        with trio.CancelScope(shield=True):
            await self._database.close()

    async def _row_before(self) -> int:
        """Just below the row that holds `position`, or, where there is none, the one before that."""
        found = await self._database.fetch("SELECT max(first) FROM block WHERE first <= ?", (self.position,))
        return int(found[0][0] or 0) - 1

    async def _rows_within(self, bytes_max: int) -> int:
        """How many of the next rows are worth `bytes_max` bytes. One step, and no record is read for it."""
        found = await self._database.fetch(
            "SELECT count(*) FROM (SELECT sum(length(records)) OVER (ORDER BY first) AS total FROM block"
            " WHERE first > ? LIMIT ?) WHERE total <= ?",
            (self._row, _ROWS_READ_MAX, bytes_max),
        )
        return max(1, int(found[0][0]))

    async def _fetch(self, count: int) -> list[Row]:
        sql = "SELECT first, last, count, previous, crc, records FROM block WHERE first > ? ORDER BY first LIMIT ?"
        return await self._database.fetch(sql, (self._row, count))

    async def _read_what_is_there(self, reason: str) -> list[PackedBlock]:
        """A page of the b-tree is damaged: block by block up to it, then give up the rest."""
        blocks = []
        try:
            for _ in range(_ROWS_READ_MAX):
                before = self._row
                rows = await self._fetch(1)
                blocks += self._accept_all(rows)
                if not rows:
                    self._lose(self._last, "the segment ends too early")
                    break
                if self._row <= before:
                    self._lose(self._last, _OUT_OF_ORDER)
                    break
        except DatabaseDamagedError:
            self._lose(self._last, reason)
        return blocks

    def _accept_all(self, rows: list[Row]) -> list[PackedBlock]:
        blocks = [block for row in rows if (block := self._accept(row)) is not None]
        if rows:
            self._row = max(self._row, rows[-1][0])  # also past a damaged row
        return blocks

    def _accept(self, row: Row) -> PackedBlock | None:
        """Check a row, and that none is missing before it. None for one that is damaged or was not asked for."""
        first, last, count, previous, crc, records = row
        if not all(isinstance(number, int) for number in row[:5]) or not isinstance(records, bytes):
            return None
        if min(row[:4]) < 0 or crc != row_checksum(self._salt, self._log_id, first, last, count, previous):
            return None
        self._row = first
        self._lose(previous, "a block of the segment is missing or damaged")
        if last < self.position:
            return None
        self.position = last + 1
        return PackedBlock(first, last, count, records)

    def _lose(self, upto: int, reason: str) -> None:
        if upto >= self.position:
            self.damage.append(Damage(self.position, upto, reason))
            self.position = upto + 1


async def open_segment(disk: Disk, path: str, log_id: int, salt: int, seq: int, last: int) -> SegmentReader:
    """Open a segment to read from `seq` to its `last` number.

    Raises:
        OSError: it can't be opened or read; FileNotFoundError when it is missing.
        DatabaseDamagedError: it is no segment, or not one of this log and store.
        NewerFormatError: a newer Segue wrote it.
    """
    database = await disk.open_database(path, mode="read")
    try:
        meta: dict[Any, Any] = dict(await database.fetch("SELECT key, value FROM meta"))
        version = meta.get("format")
        if isinstance(version, int) and version > SEGMENT_FORMAT:
            raise NewerFormatError(Path(path), version, SEGMENT_FORMAT)
        if (version, meta.get("log"), meta.get("salt")) != (SEGMENT_FORMAT, log_id, f"{salt:016x}"):
            raise DatabaseDamagedError(f"{path}: it is not a segment of log {log_id} of this store")
    except BaseException:
        with trio.CancelScope(shield=True):
            await database.close()
        raise
    return SegmentReader(database, (salt, log_id), seq, last)
