"""The write-ahead log is read as SQLite reads it; what SQLite forgets in silence is told."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from segue.storage.tools.wal import read_wal

FRAME = 24 + 4096


@pytest.fixture
def store(tmp_path: Path) -> tuple[Path, list[int]]:
    """A database with a log of six commits, and where each commit ends in the log."""
    path = tmp_path / "t.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA page_size=4096")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)")
    ends = []
    for number in range(6):
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t(b) VALUES(?)", [(bytes([number]) * 3000,) for _ in range(4)])
        connection.execute("COMMIT")
        ends.append((tmp_path / "t.db-wal").stat().st_size)
    shutil.copytree(tmp_path, tmp_path / "copy")
    connection.close()
    return tmp_path / "copy" / "t.db", ends


def rows_by_sqlite(path: Path) -> list[tuple[int, bytes]]:
    """Let SQLite recover a copy of both files."""
    folder = shutil.copytree(path.parent, path.parent.with_name("recovered"), dirs_exist_ok=True)
    connection = sqlite3.connect(folder / path.name)
    try:
        return list(connection.execute("SELECT a, b FROM t ORDER BY a"))
    finally:
        connection.close()


def rows_by_us(path: Path) -> list[tuple[int, bytes]]:
    """Apply the log to a copy of the database, and let SQLite read that without a log."""
    copy = path.with_name("ours.db")
    shutil.copyfile(path, copy)
    with open(copy, "r+b") as file:
        read_wal(path.with_name("t.db-wal").read_bytes()).apply(file)
    connection = sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)
    try:
        return list(connection.execute("SELECT a, b FROM t ORDER BY a"))
    finally:
        connection.close()


def test_a_whole_log_brings_every_commit(store: tuple[Path, list[int]]) -> None:
    path, _ = store
    wal = read_wal(path.with_name("t.db-wal").read_bytes())
    assert (wal.damaged_at, wal.torn_at) == (-1, -1)
    assert len(rows_by_us(path)) == 24
    assert rows_by_us(path) == rows_by_sqlite(path)


@pytest.mark.parametrize("commit", range(1, 6))
@pytest.mark.parametrize("cut", [1, 30, FRAME, FRAME + 100])
def test_a_log_that_is_cut_short_brings_the_commits_before_that(
    store: tuple[Path, list[int]], commit: int, cut: int
) -> None:
    path, ends = store
    log = path.with_name("t.db-wal")
    log.write_bytes(log.read_bytes()[: ends[commit] - cut])
    wal = read_wal(log.read_bytes())
    assert wal.damaged_at == -1
    assert rows_by_us(path) == rows_by_sqlite(path)
    assert len(rows_by_us(path)) == 4 * commit


@pytest.mark.parametrize("offset", [0, 9, 20, 24, 100, 4000])
@pytest.mark.parametrize("commit", range(4))
def test_a_flipped_bit_with_commits_behind_it_is_told(store: tuple[Path, list[int]], commit: int, offset: int) -> None:
    path, ends = store
    log = path.with_name("t.db-wal")
    data = bytearray(log.read_bytes())
    start = ends[commit] - 2 * FRAME
    data[start + offset] ^= 4
    wal = read_wal(bytes(data))
    assert wal.damaged_at == start
    log.write_bytes(data)
    assert rows_by_us(path) == rows_by_sqlite(path)
    assert len(rows_by_us(path)) == 4 * commit


def test_a_flipped_bit_in_the_last_commit_looks_like_the_end_of_a_crash(store: tuple[Path, list[int]]) -> None:
    path, ends = store
    data = bytearray(path.with_name("t.db-wal").read_bytes())
    data[ends[5] - 10] ^= 1
    wal = read_wal(bytes(data))
    assert wal.damaged_at == -1
    assert wal.torn_at == ends[5] - FRAME


@pytest.mark.parametrize("offset", [0, 4, 8, 12, 17, 24, 31])
def test_a_flipped_bit_in_the_head_is_told(store: tuple[Path, list[int]], offset: int) -> None:
    path, _ = store
    data = bytearray(path.with_name("t.db-wal").read_bytes())
    data[offset] ^= 1
    assert read_wal(bytes(data)).damaged_at == 0


def test_frames_of_an_earlier_round_are_no_damage(store: tuple[Path, list[int]]) -> None:
    path, _ = store
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    connection.execute("INSERT INTO t(b) VALUES(x'01')")
    data = path.with_name("t.db-wal").read_bytes()
    wal = read_wal(data)
    assert (wal.damaged_at, wal.torn_at) == (-1, -1)
    assert len(rows_by_us(path)) == 25
    connection.close()


@pytest.mark.parametrize("data", [b"", b"\0" * 32, b"\0" * 5000, b"x" * 31])
def test_a_log_that_is_empty_or_reset_has_no_pages(data: bytes) -> None:
    wal = read_wal(data)
    assert (wal.pages, wal.pages_in_file, wal.damaged_at, wal.torn_at) == ({}, 0, -1, -1)
