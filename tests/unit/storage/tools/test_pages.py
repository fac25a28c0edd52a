"""Rows read from pages are the rows that SQLite reads; a damaged page costs its own rows only."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segue.storage.tools.pages import RawRow, raw_rows, raw_rows_of, read_patiently

Rows = list[tuple[Any, ...]]
PAGE_SIZE = 1024


def make(path: Path, schema: str, rows: Rows, *, page_size: int = PAGE_SIZE) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA page_size={page_size}")
    connection.execute(schema)
    if rows:
        connection.executemany(f"INSERT INTO t VALUES({','.join('?' * len(rows[0]))})", rows)
    connection.commit()
    connection.close()
    return path.read_bytes()


def rows_of(data: bytes, width: int) -> list[RawRow]:
    """Without those of the schema, which has five columns."""
    return [row for row in raw_rows(data, PAGE_SIZE) if len(row.columns) == width]


def some_rows(count: int, blob_bytes: Callable[[int], int]) -> Rows:
    generator = random.Random(7)
    values = (0, 1, -1, 127, -128, 1 << 15, -(1 << 23), 1 << 31, -(1 << 40), (1 << 63) - 1, -(1 << 63))
    return [
        (key * 3, values[key % len(values)], None, "tëxt" * (key % 9), generator.randbytes(blob_bytes(key)))
        for key in range(1, count + 1)
    ]


SCHEMA = "CREATE TABLE t(a INTEGER PRIMARY KEY, b INTEGER, c, d TEXT, e BLOB)"


@pytest.mark.parametrize("blob_bytes", [0, 10, 400, 985, 986, 987, 988, 989, 990, 3000, 40_000])
def test_rows_of_every_size_are_read_with_their_overflow_pages(tmp_path: Path, blob_bytes: int) -> None:
    rows = some_rows(30, lambda key: blob_bytes)
    found = rows_of(make(tmp_path / "t.db", SCHEMA, rows), 5)
    assert sorted((row.rowid, *row.columns[1:]) for row in found if row.rowid != 1) == sorted(rows)


def test_rows_of_a_table_without_rowids_are_read_from_inner_pages_too(tmp_path: Path) -> None:
    schema = "CREATE TABLE t(a INTEGER, b INTEGER, c, d TEXT, e BLOB, f INTEGER, PRIMARY KEY(a, b)) WITHOUT ROWID"
    rows = [(*row, 9) for row in some_rows(500, lambda key: key % 300)]
    found = rows_of(make(tmp_path / "t.db", schema, rows), 6)
    assert sorted(row.columns for row in found) == sorted(rows)
    assert {row.rowid for row in found} == {None}


def test_what_was_deleted_and_freed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    make(path, SCHEMA, some_rows(200, lambda key: 200))
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM t WHERE a > 300")
    connection.commit()
    connection.close()
    assert {row.rowid for row in rows_of(path.read_bytes(), 5) if row.rowid != 1} == set(range(3, 301, 3))


@pytest.mark.parametrize("damaged_page", [1, 2, 5, 40])
def test_a_page_that_is_overwritten_costs_only_what_stands_in_it(tmp_path: Path, damaged_page: int) -> None:
    rows = some_rows(200, lambda key: 200)
    data = bytearray(make(tmp_path / "t.db", SCHEMA, rows))
    before = {row.rowid for row in rows_of(bytes(data), 5)}
    data[(damaged_page - 1) * PAGE_SIZE : damaged_page * PAGE_SIZE] = b"\xaa" * PAGE_SIZE
    after = {row.rowid for row in rows_of(bytes(data), 5)}
    assert after <= before
    assert len(before - after) <= 5
    assert len(after) >= 195


def test_no_bytes_make_the_reader_fail_or_run_on(tmp_path: Path) -> None:
    original = make(tmp_path / "t.db", SCHEMA, some_rows(40, lambda key: key * 50))
    generator = random.Random(11)
    for _ in range(300):
        data = bytearray(original)
        for _ in range(generator.randrange(1, 30)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        found = list(raw_rows(bytes(data[: generator.randrange(len(data))]), PAGE_SIZE))
        assert len(found) < 1000


def test_the_page_size_is_taken_from_the_header_and_guessed_without_one(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    data = bytearray(make(path, SCHEMA, some_rows(9, lambda key: 5), page_size=8192))
    assert len([row for row in raw_rows_of(path) if row.columns[1:2] == (1,)]) >= 1
    data[16:18] = b"\x12\x34"
    path.write_bytes(data)
    assert {row.rowid for row in raw_rows_of(path)} >= {3, 6, 9}


def test_a_file_that_is_too_short_for_a_header_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    path.write_bytes(b"SQLite format 3\0")
    assert list(raw_rows_of(path)) == []


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(range(256)) * 70)
    assert read_patiently(path) == path.read_bytes()
