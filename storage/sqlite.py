"""SQLite through aiosqlite on a trio-asyncio loop: the one place that knows about either.

Each open database has a thread of its own. A call is a hop there and back, some steps of the event loop, and CPython
gives up the GIL at every `sqlite3_step`: so callers count calls, statements and rows, not bytes (DESIGN §3.1).

What SQLite raises becomes either an `OSError` (the disk is at fault: try again, or free some space) or a
`DatabaseDamagedError` (the file is at fault: trying again is of no use).
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import aiosqlite
import trio
from trio_asyncio import aio_as_trio

from segue.storage.disk import Row, Statement
from segue.storage.errors import DatabaseDamagedError

__all__ = ["SqliteDatabase", "open_sqlite", "translated"]

_T = TypeVar("_T")

_PRAGMAS: Final = {
    # WAL + FULL: one sync a commit, and the file is never in a state that needs a rollback journal.
    # secure_delete: what was deleted is overwritten with zeros, so that a flipped pointer can't bring it back.
    "catalog": (
        "PRAGMA locking_mode=EXCLUSIVE",
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA cache_size=-4096",
        "PRAGMA wal_autocheckpoint=1000",
        "PRAGMA journal_size_limit=4194304",  # the same in bytes: a large commit is no reason to keep a large file
        "PRAGMA cell_size_check=ON",
        "PRAGMA secure_delete=FAST",
    ),
    # A segment is worthless until it is named in the catalog, so a crash may leave it in any state.
    "build": (
        "PRAGMA page_size=16384",
        "PRAGMA journal_mode=OFF",
        "PRAGMA synchronous=OFF",
        "PRAGMA locking_mode=EXCLUSIVE",
        "PRAGMA cache_size=-2048",
    ),
    "read": ("PRAGMA cache_size=-512", "PRAGMA cell_size_check=ON"),
}
_QUERY: Final = {"catalog": "mode=rwc", "build": "mode=rwc", "read": "mode=ro&immutable=1"}
_CACHED_STATEMENTS: Final = 0
"""Python would keep 128 of them, and SQLite with each the values that it was last run with: blocks of records, up to
8 MiB for a statement, and there is one for each number of rows. To compile one anew takes 10 to 200 us, a few times for
a checkpoint or a read of a MiB."""
_ROWS_A_HOP: Final = 64
"""aiosqlite's default, for cursors that are read bit by bit: here there is none."""

_ERRORS: Final = (sqlite3.Error, UnicodeError, OverflowError)
"""What the standard library raises; the last two when it can't make sense of what SQLite hands it."""
_DISK_ERRORS: Final = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_CANTOPEN: errno.EIO,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_AUTH: errno.EACCES,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_LOCKED: errno.EBUSY,
    sqlite3.SQLITE_PROTOCOL: errno.EBUSY,
    sqlite3.SQLITE_INTERRUPT: errno.EINTR,
}
"""SQLite's primary result codes that don't speak against the file. All others do."""


class _Connection(aiosqlite.Connection):
    """With one more call: many statements in one hop to the thread.

    There and back is some steps of the event loop. Under load these take milliseconds each, and a checkpoint whose
    statements made 40 hops took half a second for a work of ten milliseconds.
    """

    async def execute_all(self, statements: Iterable[Statement]) -> list[int]:
        changed: list[int] = await self._execute(self._execute_all, statements)  # type: ignore[no-untyped-call]
        return changed

    def _execute_all(self, statements: Iterable[Statement]) -> list[int]:
        return [max(0, self._conn.executemany(sql, values).rowcount) for sql, values in statements]


class SqliteDatabase:
    """A `segue.storage.disk.Database`."""

    def __init__(self, path: Path, connection: _Connection) -> None:
        self._path = path
        self._connection = connection

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        await self._call(self._connection.execute_fetchall, sql, values)  # one hop to the thread; `execute` has two

    async def execute_many(self, statements: Iterable[Statement]) -> list[int]:
        return await self._call(self._connection.execute_all, statements)

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        rows = await self._call(self._connection.execute_fetchall, sql, values)
        return [tuple(row) for row in rows]

    async def commit(self) -> None:
        await self._call(self._connection.commit)

    async def rollback(self) -> None:
        await self._call(self._connection.rollback)

    async def close(self) -> None:
        await self._call(self._connection.close)

    async def run_script(self, statements: Sequence[str]) -> None:
        """Several statements without values in one hop to the thread."""
        await self._call(self._connection.executescript, ";".join(statements))

    async def _call(self, function: Callable[..., Awaitable[_T]], *args: object) -> _T:
        try:
            result: _T = await aio_as_trio(function)(*args)
        except _ERRORS as error:
            raise translated(error, self._path) from error
        return result


async def open_sqlite(path: Path, mode: str) -> SqliteDatabase:
    """Open `path` in one of the modes of `Disk.open_database`.

    Raises:
        OSError: the file is missing, or the disk or its permissions are in the way.
        DatabaseDamagedError: it is not a database.
    """
    uri = f"file:{quote(str(path))}?{_QUERY[mode]}"

    async def connect() -> _Connection:
        connector = partial(sqlite3.connect, uri, uri=True, cached_statements=_CACHED_STATEMENTS)
        connection = _Connection(connector, _ROWS_A_HOP)
        await connection
        return connection

    # Not cancelled half-way: nobody would be left to end the thread.
    with trio.CancelScope(shield=True):
        try:
            connection = await aio_as_trio(connect)()
        except _ERRORS as error:
            raise translated(error, path) from error
        database = SqliteDatabase(path, connection)
        try:
            await database.run_script(_PRAGMAS[mode])
        except BaseException:
            await database.close()
            raise
    return database


def translated(error: Exception, path: Path) -> OSError | DatabaseDamagedError:
    """What a caller outside this file gets to see of an error of SQLite."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # Python's own complaints have none
    if code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return DatabaseDamagedError(f"{path}: it ends too early ({error})")
    number = _DISK_ERRORS.get(code & 0xFF)
    if number is None:
        return DatabaseDamagedError(f"{path}: {error}")
    if number == errno.EIO and not path.exists():
        number = errno.ENOENT
    return OSError(number, f"{error}", str(path))
