"""The catalog: what logs and cursors there are, how far a checkpoint has brought them, and where old messages lie.

`catalog.db`, SQLite (docs/formats/catalog.md). It changes only in a checkpoint, in one transaction; that commit is
the checkpoint. It is created under another name and renamed, so there is never half a catalog.

Every row carries a checksum, and `meta` counts the rows of each table: so a damaged row and a missing one are both
noticed before anything is served.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, TypeVar

import trio

from segue.storage.block import PackedBlock
from segue.storage.catalog_rows import (
    SCHEMA,
    TABLES,
    CatalogChange,
    CursorState,
    LogState,
    cursor_of,
    log_of,
    loose_extent_of,
    meta_of,
    meta_rows,
    segment_extent_of,
    write_change,
)
from segue.storage.disk import Database, Disk, Row
from segue.storage.errors import DamagedStoreError, DatabaseDamagedError, DiskFailureError, NewerFormatError
from segue.storage.journal import JOURNAL_DIRECTORY, NO_BATCH
from segue.storage.log import Extent, Log
from segue.storage.quarantine import Damage
from segue.storage.segment import SEGMENTS_DIRECTORY

__all__ = ["APPLICATION_ID", "CATALOG", "CATALOG_FORMAT", "Catalog"]

CATALOG: Final = "catalog.db"
CATALOG_FORMAT: Final = 1
"""A Segue that changes the format of any file of the store raises this number. It writes it with `PRAGMA user_version`
and `PRAGMA wal_checkpoint(TRUNCATE)` before it changes anything else: an older one looks at the head of catalog.db,
and at nothing before that."""
APPLICATION_ID: Final = 0x53475543
"""`SGUC`, for file(1)."""

_NEW: Final = "catalog.new"
_MAGIC: Final = b"SQLite format 3\0"
_HEAD_BYTES: Final = 100
_VERSION_AT: Final = 60
"""SQLite's file format: `user_version`, big-endian u32."""
_APPLICATION_AT: Final = 68
_QUICK_CHECK_BYTES_MAX: Final = 256 << 20
"""Up to this size all pages of the catalog are checked at each start."""

_T = TypeVar("_T")


class Catalog:
    """The open catalog.

    Attributes:
        salt: random number of this store, stands in every journal batch and segment.
        lsn: replay starts here.
        previous: LSN of the batch before `lsn`.
        next_id: the next id for a log or cursor.
        clean: the last thing written was the checkpoint of a clean stop.
    """

    def __init__(self, database: Database, meta: dict[str, Any]) -> None:
        self._database = database
        self._lock = trio.Lock()
        # A commit has failed, and what it was to change may be there: `_meta` can't be trusted any more.
        self._failed = False
        self._take_up(meta)
        self.salt = int(meta["salt"], 16)

    def _take_up(self, meta: dict[str, Any]) -> None:
        self._meta = meta
        self.lsn = int(meta["lsn"])
        self.previous = int(meta["previous"], 16)
        self.next_id = int(meta["next_id"])
        self.clean = bool(meta["clean"])

    @classmethod
    async def open(cls, disk: Disk) -> Catalog:
        """Open the catalog of a data directory, or make a new one in a directory that never had one.

        Raises:
            NewerFormatError: a newer Segue wrote it; nothing is changed.
            DamagedStoreError: it is missing, is not a catalog, or fails SQLite's checks or its own.
            OSError: the disk or the permissions are in the way.
        """
        if disk.size(CATALOG) < 0:
            _refuse_orphans(disk)
            await _create(disk)
        _check_head(disk)
        database = await _undamaged(disk.open_database(CATALOG, mode="catalog"))
        try:
            if disk.size(CATALOG) <= _QUICK_CHECK_BYTES_MAX:
                await _quick_check(database)
            rows = await _undamaged(database.fetch("SELECT key, value FROM meta"))
            return cls(database, _sound(meta_of, rows))
        except BaseException:
            with trio.CancelScope(shield=True):
                await database.close()
            raise

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    async def logs(self) -> list[LogState]:
        """All logs.

        Raises:
            DamagedStoreError: a row is damaged or missing. So do the next two.
        """
        rows = await self._all_rows("log", "SELECT id, head, definition, crc FROM log ORDER BY id")
        return [_sound(log_of, row) for row in rows]

    async def cursors(self) -> list[CursorState]:
        """All cursors."""
        rows = await self._all_rows(
            "cursor", "SELECT id, log, next, promised, holes, quarantined, definition, crc FROM cursor ORDER BY id"
        )
        return [_sound(cursor_of, row) for row in rows]

    async def extents(self) -> list[tuple[int, Extent]]:
        """All segments and loose blocks, each with the id of its log."""
        segments = await self._all_rows(
            "segment", "SELECT log, first, last, path, messages, bytes, written_ms, file_bytes, crc FROM segment"
        )
        loose = await self._all_rows(
            "loose", "SELECT log, first, last, messages, length(records), written_ms, crc FROM loose"
        )
        return [_sound(segment_extent_of, row) for row in segments] + [_sound(loose_extent_of, row) for row in loose]

    async def loose_blocks(self, log: Log, extents: Sequence[Extent]) -> tuple[list[PackedBlock], list[Damage], int]:
        """Loose blocks, rising; what is damaged; and the number below which the answer is complete.

        That is behind the last of them, or before one that a checkpoint replaces: look at the log again.

        Raises:
            OSError: they can't be read.
            DatabaseDamagedError: the first of them can't.
        """
        # Without the lock, or every read would wait for a checkpoint to come to its end. In the middle of one, a row
        # that has the numbers of a block has its records, too, whether it is committed or not.
        found = await self._look_up(log.id, extents)
        if not found:
            # A commit and the swap that belongs to it happen under the same lock: what is read is what the log names.
            async with self._lock:
                if extents[0] not in log.extents:
                    return [], [], extents[0].first
                found = await self._look_up(log.id, extents[:1])
        if not found:
            first, last = extents[0][:2]
            return [], [Damage(first, last, "a block in the catalog is missing")], last + 1
        return found, [], found[-1].last + 1

    async def _look_up(self, log_id: int, extents: Sequence[Extent]) -> list[PackedBlock]:
        """The blocks of these extents, up to one that is missing, or not what it should be."""
        marks = ",".join("?" * len(extents))
        sql = f"SELECT first, last, messages, records FROM loose WHERE log=? AND first IN ({marks})"  # noqa: S608
        try:
            rows = await self._database.fetch(sql, (log_id, *(extent.first for extent in extents)))
        except DatabaseDamagedError:
            if len(extents) == 1:
                raise
            return await self._look_up(log_id, extents[:1])
        blocks = {row[:3]: PackedBlock(*row) for row in rows if isinstance(row[3], bytes)}
        numbers = takewhile(blocks.__contains__, ((each.first, each.last, each.messages) for each in extents))
        return [blocks[each] for each in numbers]

    async def apply(self, change: CatalogChange, committed: Callable[[], None]) -> None:
        """Write a checkpoint; it is durable on return. `committed` is called in one step with that.

        Raises:
            OSError, DatabaseDamagedError: nothing was changed.
            DiskFailureError: whether it was committed, or an earlier one, is not known.

        Cancellation: shielded, or nobody would know whether it was committed.
        """
        with trio.CancelScope(shield=True):
            async with self._lock:
                if self._failed:
                    raise DiskFailureError(f"{CATALOG}: an earlier commit has failed")
                self._take_up(await self._write(change))
                committed()

    async def _write(self, change: CatalogChange) -> dict[str, Any]:
        database = self._database
        try:
            counts = await write_change(database, change, {table: self._meta[f"{table}_rows"] for table in TABLES})
            meta = self._meta | {f"{table}_rows": count for table, count in counts.items()}
            if change.lsn >= 0:
                meta |= {"lsn": change.lsn, "previous": f"{change.previous:016x}"}
                meta |= {"next_id": change.next_id, "clean": int(change.clean)}
            await database.execute_many([("INSERT OR REPLACE INTO meta VALUES(?,?)", meta_rows(meta))])
        except BaseException:
            await database.rollback()
            raise
        try:
            await database.commit()
        except OSError as error:
            # A full disk is found before the last frame is written. After anything else the frames may be there, and
            # would count after a crash, until the next commit writes over them.
            if error.errno != errno.ENOSPC:
                self._failed = True
                raise DiskFailureError(f"{CATALOG}: {error}") from error
            await database.rollback()
            raise
        except DatabaseDamagedError:
            await database.rollback()
            raise
        return meta

    async def _all_rows(self, table: str, sql: str) -> list[Row]:
        rows = await _undamaged(self._database.fetch(sql))
        if len(rows) != self._meta[f"{table}_rows"]:
            raise _damaged(f"its table {table} has {len(rows)} rows, written were {self._meta[f'{table}_rows']}")
        return rows


async def _create(disk: Disk) -> None:
    """A new catalog, complete or not there at all."""
    for name in (_NEW, f"{_NEW}-wal", f"{_NEW}-journal"):
        disk.unlink(name)
    database = await disk.open_database(_NEW, mode="build")
    try:
        await database.execute(f"PRAGMA application_id={APPLICATION_ID}")
        await database.execute(f"PRAGMA user_version={CATALOG_FORMAT}")
        for statement in SCHEMA:
            await database.execute(statement)
        meta = {"salt": f"{secrets.randbits(64):016x}", "lsn": 0, "previous": f"{NO_BATCH:016x}", "next_id": 1}
        meta |= {"clean": 1, **{f"{table}_rows": 0 for table in TABLES}}
        await database.execute_many([("INSERT INTO meta VALUES(?,?)", meta_rows(meta))])
        await database.commit()
    finally:
        with trio.CancelScope(shield=True):
            await database.close()
    disk.sync_file(_NEW)
    disk.rename(_NEW, CATALOG)
    # Before the journal's folder is made: a journal without a catalog is a store that has lost it.
    disk.sync_directory("")


def _refuse_orphans(disk: Disk) -> None:
    for folder in (JOURNAL_DIRECTORY, SEGMENTS_DIRECTORY):
        if disk.list(folder):
            raise _damaged(f"it is missing, and there are files in {folder}/: a new one would lose what is in them")


def _check_head(disk: Disk) -> None:
    """Look at the format before SQLite may write anything."""
    head = disk.read_head(CATALOG, _HEAD_BYTES)
    if len(head) < _HEAD_BYTES or not head.startswith(_MAGIC):
        raise _damaged("it is not a SQLite file")
    if int.from_bytes(head[_APPLICATION_AT : _APPLICATION_AT + 4], "big") != APPLICATION_ID:
        raise _damaged("it is not a catalog of Segue")
    version = int.from_bytes(head[_VERSION_AT : _VERSION_AT + 4], "big")
    if version > CATALOG_FORMAT:
        raise NewerFormatError(Path(CATALOG), version, CATALOG_FORMAT)
    if version < 1:
        raise _damaged("its format version is 0")


async def _quick_check(database: Database) -> None:
    rows = await _undamaged(database.fetch("PRAGMA quick_check(1)"))
    if rows != [("ok",)]:
        raise _damaged(f"SQLite's check of its pages fails: {rows[0][0] if rows else 'no answer'}")


async def _undamaged(result: Awaitable[_T]) -> _T:
    try:
        return await result
    except DatabaseDamagedError as error:
        raise _damaged(str(error)) from error


def _sound(unpack: Callable[[Any], _T], row: Any) -> _T:
    try:
        return unpack(row)
    except ValueError as error:
        raise _damaged(str(error)) from error


def _damaged(what: str) -> DamagedStoreError:
    return DamagedStoreError(Path(CATALOG), -1, -1, what)
