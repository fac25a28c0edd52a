"""SQLite through aiosqlite on a trio-asyncio loop: the one place that knows about either.

Each open database has a thread of its own. CPython gives up the GIL at every `sqlite3_step`, so callers count
statements and rows, not bytes (DESIGN §3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite
from trio_asyncio import aio_as_trio

from segue.storage.disk import Row

__all__ = ["SqliteDatabase", "open_sqlite"]

_PRAGMAS = {
    # WAL + FULL: one sync a commit, and the file is never in a state that needs a rollback journal.
    "catalog": (
        "PRAGMA locking_mode=EXCLUSIVE",
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA cache_size=-4096",
        "PRAGMA wal_autocheckpoint=1000",
        "PRAGMA foreign_keys=ON",
    ),
    # A segment is worthless until it is named in the catalog, so a crash may leave it in any state.
    "build": (
        "PRAGMA page_size=16384",
        "PRAGMA journal_mode=OFF",
        "PRAGMA synchronous=OFF",
        "PRAGMA locking_mode=EXCLUSIVE",
        "PRAGMA cache_size=-2048",
        "PRAGMA cell_size_check=ON",
    ),
    "read": ("PRAGMA query_only=ON", "PRAGMA cache_size=-512", "PRAGMA mmap_size=0"),
}
_QUERY = {"catalog": "mode=rwc", "build": "mode=rwc", "read": "mode=ro&immutable=1"}


class SqliteDatabase:
    """A `segue.storage.disk.Database`."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        cursor = await aio_as_trio(self._connection.execute)(sql, values)
        await aio_as_trio(cursor.close)()

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        cursor = await aio_as_trio(self._connection.executemany)(sql, rows)
        await aio_as_trio(cursor.close)()

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return list(await aio_as_trio(self._connection.execute_fetchall)(sql, values))

    async def commit(self) -> None:
        await aio_as_trio(self._connection.commit)()

    async def rollback(self) -> None:
        await aio_as_trio(self._connection.rollback)()

    async def close(self) -> None:
        await aio_as_trio(self._connection.close)()


async def open_sqlite(path: Path, mode: str) -> SqliteDatabase:
    """Open `path` in one of the modes of `Disk.open_database`.

    Raises:
        sqlite3.Error: it is not a database, or can't be opened.
    """
    uri = f"file:{quote(str(path))}?{_QUERY[mode]}"

    async def connect() -> aiosqlite.Connection:
        return await aiosqlite.connect(uri, uri=True)

    database = SqliteDatabase(await aio_as_trio(connect)())
    try:
        for pragma in _PRAGMAS[mode]:
            await database.execute(pragma)
    except BaseException:
        await database.close()
        raise
    return database
