"""Tests of segue.storage.sqlite: which errors are the disk's fault and which the file's; what is kept; threads."""

from __future__ import annotations

import _sqlite3
import ctypes
import errno
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from segue.storage.errors import DatabaseDamagedError
from segue.storage.sqlite import SqliteDatabase, open_sqlite, translated
from tests.faults.storage.driver import until


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("it says")
    error.sqlite_errorcode = code
    return error


def threads() -> set[threading.Thread]:
    """Those of databases; one that was told to end does so soon."""
    return {thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name}


def memory_of_sqlite() -> int:
    """Bytes that the library has allocated in this process."""
    used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
    used.restype = ctypes.c_int64
    return int(used())


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def rows_of(path: Path, count: int = 3) -> SqliteDatabase:
    database = await open_sqlite(path, "catalog")
    await database.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)")
    rows = ((n, b"%d" % n) for n in range(count))
    assert await database.execute_many([("INSERT INTO t VALUES(?,?)", rows)]) == [count]
    await database.commit()
    return database


# -- errors


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (sqlite3.SQLITE_FULL, errno.ENOSPC),
        (sqlite3.SQLITE_IOERR_WRITE, errno.EIO),
        (sqlite3.SQLITE_IOERR_FSYNC, errno.EIO),
        (sqlite3.SQLITE_IOERR_READ, errno.EIO),
        (sqlite3.SQLITE_CANTOPEN, errno.EIO),
        (sqlite3.SQLITE_READONLY_DIRECTORY, errno.EROFS),
        (sqlite3.SQLITE_PERM, errno.EACCES),
        (sqlite3.SQLITE_NOMEM, errno.ENOMEM),
        (sqlite3.SQLITE_BUSY, errno.EBUSY),
    ],
)
def test_what_the_disk_is_to_blame_for_is_an_error_with_its_number_and_file(
    tmp_path: Path, code: int, number: int
) -> None:
    (tmp_path / "f").touch()
    error = translated(sqlite_error(code), tmp_path / "f")
    assert isinstance(error, OSError)
    assert (error.errno, error.filename) == (number, str(tmp_path / "f"))


@pytest.mark.parametrize(
    "error",
    [
        sqlite_error(sqlite3.SQLITE_CORRUPT),
        sqlite_error(sqlite3.SQLITE_NOTADB),
        sqlite_error(sqlite3.SQLITE_IOERR_SHORT_READ),
        sqlite_error(sqlite3.SQLITE_CONSTRAINT),
        sqlite_error(sqlite3.SQLITE_ERROR),
        sqlite3.ProgrammingError("of Python's own"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        OverflowError("string longer than INT_MAX bytes"),
    ],
)
def test_everything_else_is_the_files_own_fault(tmp_path: Path, error: Exception) -> None:
    found = translated(error, tmp_path / "f")
    assert isinstance(found, DatabaseDamagedError)
    assert str(tmp_path / "f") in str(found)


async def test_a_file_that_is_missing_is_missing(loop: None, tmp_path: Path) -> None:
    before = threads()
    with pytest.raises(FileNotFoundError):
        await open_sqlite(tmp_path / "none", "read")
    assert files_in(tmp_path) == {}
    await until(lambda: threads() == before)


@pytest.mark.parametrize("mode", ["catalog", "build"])
async def test_a_file_that_is_no_database_is_damaged(loop: None, tmp_path: Path, mode: str) -> None:
    (tmp_path / "f").write_bytes(b"no database at all".ljust(4096, b"."))
    before = threads()
    with pytest.raises(DatabaseDamagedError, match="not a database"):
        await open_sqlite(tmp_path / "f", mode)
    await until(lambda: threads() == before)


async def test_a_file_that_was_cut_is_damaged_and_not_a_broken_disk(loop: None, tmp_path: Path) -> None:
    """Fault 25: reading it again would be of no use."""
    database = await rows_of(tmp_path / "f", 2000)
    await database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    await database.close()
    data = (tmp_path / "f").read_bytes()
    (tmp_path / "f").write_bytes(data[: len(data) // 2])
    before = threads()
    with pytest.raises(DatabaseDamagedError):
        await open_sqlite(tmp_path / "f", "read")
    await until(lambda: threads() == before)


async def test_a_full_disk_is_a_full_disk_and_a_rollback_makes_the_file_usable_again(
    loop: None, tmp_path: Path
) -> None:
    """Fault 17."""
    database = await rows_of(tmp_path / "f")
    await database.execute("PRAGMA max_page_count=5")
    with pytest.raises(OSError, match="full") as caught:
        await database.execute_many([("INSERT INTO t VALUES(?,?)", ((n, bytes(9000)) for n in range(10, 20)))])
    assert caught.value.errno == errno.ENOSPC
    await database.rollback()
    await database.execute("PRAGMA max_page_count=1000")
    await database.execute("INSERT INTO t VALUES(?,?)", (50, b"x"))
    await database.commit()
    assert await database.fetch("SELECT a FROM t") == [(0,), (1,), (2,), (50,)]
    await database.close()


# -- what is kept


async def test_what_was_not_committed_is_gone_with_the_file(loop: None, tmp_path: Path) -> None:
    database = await rows_of(tmp_path / "f")
    await database.execute("DELETE FROM t WHERE a=?", (1,))
    await database.close()
    again = await open_sqlite(tmp_path / "f", "catalog")
    assert await again.fetch("SELECT a, b FROM t") == [(0, b"0"), (1, b"1"), (2, b"2")]
    await again.close()


async def test_each_statement_of_a_change_counts_its_rows(loop: None, tmp_path: Path) -> None:
    database = await rows_of(tmp_path / "f", 5)
    counts = await database.execute_many(
        [
            ("DELETE FROM t WHERE a IN (?,?)", [(0, 1), (1, 2), (7, 8)]),
            ("DELETE FROM t WHERE a=?", []),
            ("INSERT INTO t VALUES(?,?),(?,?)", [(0, b"", 1, b"")]),
        ]
    )
    assert counts == [3, 0, 2]
    assert await database.execute_many([]) == []
    await database.close()


async def test_an_error_in_the_rows_is_the_callers_and_changes_nothing(loop: None, tmp_path: Path) -> None:
    """They come from a generator that runs in the thread of the database."""
    database = await rows_of(tmp_path / "f")

    def rows() -> Iterator[tuple[int, bytes]]:
        yield 10, b""
        raise LookupError("of the caller")

    with pytest.raises(LookupError, match="of the caller"):
        await database.execute_many([("DELETE FROM t WHERE a=?", [(1,)]), ("INSERT INTO t VALUES(?,?)", rows())])
    await database.rollback()
    assert len(await database.fetch("SELECT a FROM t")) == 3
    await database.close()


async def test_statements_leave_no_value_in_memory(loop: None, tmp_path: Path) -> None:
    """Each number of rows makes a statement of its own, as in checkpoints."""
    database = await rows_of(tmp_path / "f")
    await database.execute("PRAGMA cache_size=8")
    for rows in range(1, 33):
        values = [value for n in range(rows) for value in (n, bytes(64 << 10))]
        await database.execute_many([(f"INSERT OR REPLACE INTO t VALUES {','.join(['(?,?)'] * rows)}", [values])])
        await database.fetch(f"SELECT a FROM t WHERE b IN ({','.join('?' * rows)})", values[1::2])
        await database.commit()
    kept = memory_of_sqlite()
    await database.close()
    assert 0 < kept < 1 << 20


async def test_nobody_else_opens_a_catalog_meanwhile(loop: None, tmp_path: Path) -> None:
    database = await rows_of(tmp_path / "f")
    other = sqlite3.connect(tmp_path / "f", timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("SELECT * FROM t")
    other.close()
    await database.close()


async def test_a_reader_changes_nothing(loop: None, tmp_path: Path) -> None:
    database = await rows_of(tmp_path / "f")
    await database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    await database.close()
    before = files_in(tmp_path)
    reader = await open_sqlite(tmp_path / "f", "read")
    with pytest.raises(OSError, match="readonly") as caught:
        await reader.execute("DELETE FROM t")
    assert caught.value.errno == errno.EROFS
    await reader.close()
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("name", ["a b", "100%", "was?mode=memory", "ä#1"])
async def test_any_path_can_be_opened(loop: None, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    database = await rows_of(tmp_path / name / "f")
    await database.close()
    assert (tmp_path / name / "f").stat().st_size > 0


# -- threads


async def test_a_database_that_is_closed_leaves_no_thread(loop: None, tmp_path: Path) -> None:
    before = threads()
    database = await rows_of(tmp_path / "f")
    assert len(threads() - before) == 1
    await database.close()
    await until(lambda: threads() == before)


async def test_an_opening_that_is_cancelled_leaves_no_thread_behind_that_nobody_ends(
    loop: None, tmp_path: Path
) -> None:
    before = threads()
    with trio.CancelScope() as scope:
        scope.cancel()
        database = await open_sqlite(tmp_path / "f", "catalog")
    assert len(threads() - before) == 1, "it came to its end all the same"
    await database.close()
    await until(lambda: threads() == before)
