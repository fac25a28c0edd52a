"""The catalog: what logs and cursors there are, how far a checkpoint has brought them, and where old messages lie.

`catalog.db`, SQLite (docs/formats/catalog.md). It changes only in a checkpoint, in one transaction; that commit is
the checkpoint. It is created under another name and renamed, so there is never half a catalog.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import trio

from segue.storage.disk import Database, Disk
from segue.storage.errors import DamagedStoreError, NewerFormatError
from segue.storage.journal import NO_BATCH
from segue.storage.log import Extent
from segue.storage.segment import PackedBlock

__all__ = [
    "CATALOG",
    "CATALOG_FORMAT",
    "Catalog",
    "CatalogChange",
    "CursorState",
    "LogState",
    "pack_holes",
    "unpack_holes",
]

CATALOG: Final = "catalog.db"
CATALOG_FORMAT: Final = 1

_NEW: Final = "catalog.new"
_SCHEMA: Final = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE log(id INTEGER PRIMARY KEY, head INTEGER NOT NULL, definition TEXT NOT NULL)",
    "CREATE TABLE cursor(id INTEGER PRIMARY KEY, log INTEGER NOT NULL, next INTEGER NOT NULL, promised INTEGER NOT NULL,"
    " holes BLOB NOT NULL, definition TEXT NOT NULL)",
    "CREATE TABLE segment(log INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, path TEXT NOT NULL,"
    " count INTEGER NOT NULL, bytes INTEGER NOT NULL, written_ms INTEGER NOT NULL, PRIMARY KEY(log, first)) WITHOUT ROWID",
    "CREATE TABLE loose(log INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL,"
    " written_ms INTEGER NOT NULL, records BLOB NOT NULL, PRIMARY KEY(log, first))",
)
_PAIR = struct.Struct("<QQ")
_ROWS_A_STEP: Final = 128


@dataclass(slots=True)
class LogState:
    """A log as the catalog has it."""

    id: int
    head: int
    definition: dict[str, Any]


@dataclass(slots=True)
class CursorState:
    """A cursor as the catalog has it. `holes`: sequence number → deliveries so far."""

    id: int
    log: int
    next: int
    promised: int
    holes: dict[int, int]
    definition: dict[str, Any]


@dataclass(slots=True)
class CatalogChange:
    """What one checkpoint writes, all of it or nothing."""

    lsn: int
    previous: int
    next_id: int
    clean: bool = False
    logs: list[LogState] = field(default_factory=list)
    cursors: list[CursorState] = field(default_factory=list)
    dropped_logs: list[int] = field(default_factory=list)
    dropped_cursors: list[int] = field(default_factory=list)
    segments: list[tuple[int, Extent]] = field(default_factory=list)
    loose: list[tuple[int, int, PackedBlock]] = field(default_factory=list)
    """(log, written_ms, block)"""
    gone_segments: list[tuple[int, int]] = field(default_factory=list)
    """(log, first)"""
    gone_loose: list[tuple[int, int]] = field(default_factory=list)


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
        self.salt = int(meta["salt"], 16)
        self.lsn = int(meta["lsn"])
        self.previous = int(meta["previous"], 16)
        self.next_id = int(meta["next_id"])
        self.clean = bool(meta["clean"])

    @classmethod
    async def open(cls, disk: Disk) -> Catalog:
        """Open the catalog of a data directory, or make a new one where there is none.

        Raises:
            NewerFormatError: a newer Segue wrote it; nothing is changed.
            DamagedStoreError: it is not a catalog, or fails SQLite's checks.
        """
        if disk.size(CATALOG) < 0:
            await _create(disk)
        database = await _open_checked(disk)
        try:
            return cls(database, await _read_meta(database))
        except BaseException:
            with trio.CancelScope(shield=True):
                await database.close()
            raise

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    async def mark_running(self) -> None:
        """From now on a stop is a crash until `apply` says otherwise."""
        if self.clean:
            await self._database.execute("UPDATE meta SET value=0 WHERE key='clean'")
            await self._database.commit()
            self.clean = False

    async def logs(self) -> list[LogState]:
        """All logs."""
        rows = await self._database.fetch("SELECT id, head, definition FROM log ORDER BY id")
        return [LogState(log, head, json.loads(text)) for log, head, text in rows]

    async def cursors(self) -> list[CursorState]:
        """All cursors."""
        rows = await self._database.fetch("SELECT id, log, next, promised, holes, definition FROM cursor ORDER BY id")
        return [
            CursorState(i, log, nxt, pro, unpack_holes(holes), json.loads(text))
            for i, log, nxt, pro, holes, text in rows
        ]

    async def extents(self) -> list[tuple[int, Extent]]:
        """All segments and loose blocks: (log, extent), rising within a log."""
        rows = await self._database.fetch(
            "SELECT log, first, last, path, count, bytes, written_ms FROM segment"
            " UNION ALL SELECT log, first, last, '', count, length(records), written_ms FROM loose ORDER BY 1, 2"
        )
        return [(row[0], Extent(*row[1:])) for row in rows]

    async def loose_blocks(self, log: int, seq: int, end: int, bytes_max: int) -> tuple[list[PackedBlock], bool]:
        """Loose blocks with numbers in [seq, end): as `segment.read_blocks`."""
        rows: list[PackedBlock] = []
        total = 0
        while total < bytes_max:
            found = await self._database.fetch(
                "SELECT first, last, count, records FROM loose WHERE log=? AND last >= ? AND first < ? AND first >= ?"
                " ORDER BY first LIMIT 16",
                (log, seq, end, seq - 64),
            )
            rows += [(first, last, count, records) for first, last, count, records in found]
            if len(found) < 16:
                return rows, True
            seq = rows[-1][1] + 1
            total += sum(len(row[3]) for row in found)
        return rows, False

    async def apply(self, change: CatalogChange) -> None:
        """Write a checkpoint; it is durable on return.

        Raises:
            sqlite3.Error: nothing was changed.
        """
        database = self._database
        try:
            await self._write(database, change)
            await database.commit()
        except BaseException:
            with trio.CancelScope(shield=True):
                await database.rollback()
            raise
        self.lsn, self.previous, self.next_id, self.clean = change.lsn, change.previous, change.next_id, change.clean

    async def _write(self, database: Database, change: CatalogChange) -> None:
        many = database.execute_many
        await database.execute("BEGIN IMMEDIATE")
        meta = [
            ("lsn", change.lsn),
            ("previous", f"{change.previous:016x}"),
            ("next_id", change.next_id),
            ("clean", int(change.clean)),
        ]
        await many("INSERT OR REPLACE INTO meta VALUES(?,?)", meta)
        for table in ("segment", "loose"):
            await many(f"DELETE FROM {table} WHERE log=?", [(log,) for log in change.dropped_logs])
        await many("DELETE FROM log WHERE id=?", [(log,) for log in change.dropped_logs])
        await many("DELETE FROM cursor WHERE id=?", [(cursor,) for cursor in change.dropped_cursors])
        await many("DELETE FROM segment WHERE log=? AND first=?", change.gone_segments)
        await many("DELETE FROM loose WHERE log=? AND first=?", change.gone_loose)
        await _upsert(database, "log", 3, ((s.id, s.head, json.dumps(s.definition)) for s in change.logs))
        await _upsert(
            database,
            "cursor",
            6,
            ((c.id, c.log, c.next, c.promised, pack_holes(c.holes), json.dumps(c.definition)) for c in change.cursors),
        )
        segments = ((log, e.first, e.last, e.path, e.count, e.bytes, e.written_ms) for log, e in change.segments)
        await _upsert(database, "segment", 7, segments)
        loose = ((log, b[0], b[1], b[2], written_ms, b[3]) for log, written_ms, b in change.loose)
        await _upsert(database, "loose", 6, loose)


def pack_holes(holes: dict[int, int]) -> bytes:
    """Holes as bytes: pairs of u64, rising."""
    return b"".join([_PAIR.pack(seq, deliveries) for seq, deliveries in sorted(holes.items())])


def unpack_holes(data: bytes) -> dict[int, int]:
    """The reverse of `pack_holes`."""
    return dict(_PAIR.iter_unpack(data))


async def _upsert(database: Database, table: str, columns: int, rows: Iterable[tuple[Any, ...]]) -> None:
    """INSERT OR REPLACE with many rows a statement: few hand-overs of the GIL."""
    rest = iter(rows)
    one = "(" + ",".join("?" * columns) + ")"
    left: list[tuple[Any, ...]] = []

    def statements() -> Iterable[list[Any]]:
        while True:
            chunk = list(islice(rest, _ROWS_A_STEP))
            if len(chunk) < _ROWS_A_STEP:
                left.extend(chunk)
                return
            yield [value for row in chunk for value in row]

    insert = f"INSERT OR REPLACE INTO {table} VALUES"
    await database.execute_many(insert + ",".join([one] * _ROWS_A_STEP), statements())
    await database.execute_many(insert + one, left)


async def _create(disk: Disk) -> None:
    """A new catalog, complete or not there at all."""
    for name in (_NEW, f"{_NEW}-wal", f"{_NEW}-journal"):
        disk.unlink(name)
    database = await disk.open_database(_NEW, mode="build")
    try:
        for statement in _SCHEMA:
            await database.execute(statement)
        salt = f"{secrets.randbits(64):016x}"
        meta = [
            ("format", CATALOG_FORMAT),
            ("salt", salt),
            ("lsn", 0),
            ("previous", f"{NO_BATCH:016x}"),
            ("next_id", 1),
            ("clean", 1),
        ]
        await database.execute_many("INSERT INTO meta VALUES(?,?)", meta)
        await database.commit()
    finally:
        with trio.CancelScope(shield=True):
            await database.close()
    disk.sync_file(_NEW)
    disk.rename(_NEW, CATALOG)
    disk.sync_directory("")


async def _open_checked(disk: Disk) -> Database:
    try:
        database = await disk.open_database(CATALOG, mode="read")
    except sqlite3.Error as error:
        raise DamagedStoreError(Path(CATALOG), -1, -1, f"SQLite can't open it ({error})") from error
    try:
        version = int((await _read_meta(database)).get("format", 0))
    finally:
        with trio.CancelScope(shield=True):
            await database.close()
    if version > CATALOG_FORMAT:
        raise NewerFormatError(Path(CATALOG), version, CATALOG_FORMAT)
    try:
        database = await disk.open_database(CATALOG, mode="catalog")
    except sqlite3.Error as error:
        raise DamagedStoreError(Path(CATALOG), -1, -1, f"SQLite can't open it ({error})") from error
    return database


async def _read_meta(database: Database) -> dict[str, Any]:
    try:
        meta = dict(await database.fetch("SELECT key, value FROM meta"))
    except sqlite3.Error as error:
        raise DamagedStoreError(Path(CATALOG), -1, -1, f"SQLite can't read it ({error})") from error
    if not {"format", "salt", "lsn", "previous", "next_id", "clean"} <= meta.keys():
        raise DamagedStoreError(Path(CATALOG), -1, -1, "it lacks a value that every catalog has")
    return meta
