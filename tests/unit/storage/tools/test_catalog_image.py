"""The catalog is read as it stands, without a change to any file; damaged rows are told and left out."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest

from segue.storage.catalog import CATALOG
from segue.storage.errors import NewerFormatError
from segue.storage.tools.catalog_image import WAL, CatalogImage, open_catalog_image
from segue.storage.tools.finding import FindingKind
from tests.unit.storage.tools.damage import edit, flip, overwrite


def read(root: Path) -> CatalogImage:
    with open_catalog_image(root) as image:
        list(image.loose_blocks())
        return image


def problems(image: CatalogImage) -> str:
    return "\n".join(map(str, image.findings))


def leave_in_the_log(root: Path, *statements: str) -> list[int]:
    """Change the catalog, and leave the changes in its write-ahead log, as a daemon does that is killed.

    Returns where each commit ends in the log.
    """
    connection = sqlite3.connect(root / CATALOG, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    ends = []
    for sql in statements:
        connection.execute(sql)
        ends.append((root / WAL).stat().st_size)
    left = {name: (root / name).read_bytes() for name in (CATALOG, WAL)}
    connection.close()
    for name, data in left.items():
        (root / name).write_bytes(data)
    return ends


def page_size_of(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[16:18], "big")


def test_everything_in_a_sound_catalog_is_read(stopped_store: Path) -> None:
    image = read(stopped_store)
    assert (image.is_whole, image.findings) == (True, [])
    assert sorted(log.definition.get("name") or log.definition["pattern"] for log in image.logs.values()) == [
        "news.#",
        "orders",
        "quiet",
    ]
    assert len(image.cursors) == 4
    assert [extent.first for extent in image.extents[1] if extent.path] == [1, 1001, 2001]
    assert image.salt is not None
    assert image.lsn > 0


def test_loose_blocks_are_read_for_one_log_or_for_all(stopped_store: Path) -> None:
    with open_catalog_image(stopped_store) as image:
        everything = list(image.loose_blocks())
        assert {log for log, _ in everything} == {1, 3, 5}
        assert list(image.loose_blocks(3)) == [(log, block) for log, block in everything if log == 3]


def test_no_file_is_changed_made_or_removed(crashed_store: Path) -> None:
    leave_in_the_log(crashed_store, "CREATE TABLE extra(a)")
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in crashed_store.rglob("*") if path.is_file()}
    read(crashed_store)
    assert before == {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in crashed_store.rglob("*") if path.is_file()
    }


def test_what_is_only_in_the_write_ahead_log_is_read(stopped_store: Path) -> None:
    before = read(stopped_store).meta
    leave_in_the_log(stopped_store, "UPDATE meta SET value='changed' WHERE key='lsn'")
    image = read(stopped_store)
    assert "checksum of its table meta" in problems(image)
    assert before["lsn"] > 0
    assert image.meta == {}


def test_a_damaged_write_ahead_log_is_told_and_its_older_commits_are_read(stopped_store: Path) -> None:
    ends = leave_in_the_log(stopped_store, *(f"CREATE TABLE extra{number}(a)" for number in range(4)))
    flip(stopped_store / WAL, ends[0] + 500)
    image = read(stopped_store)
    assert [finding.kind for finding in image.findings] == [FindingKind.WAL]
    assert image.is_whole is False
    assert len(image.logs) == 3


def test_a_row_with_a_wrong_checksum_is_told_and_left_out(stopped_store: Path) -> None:
    with edit(stopped_store / CATALOG) as catalog:
        catalog.execute("UPDATE cursor SET next=next+1 WHERE id=2")
    image = read(stopped_store)
    assert 2 not in image.cursors
    assert "row 2 of its table cursor" in problems(image)
    assert image.is_whole is False


@pytest.mark.parametrize("table", ["log", "cursor", "segment", "loose"])
def test_a_row_that_is_missing_is_told(stopped_store: Path, table: str) -> None:
    with edit(stopped_store / CATALOG) as catalog:
        column = "id" if table in ("log", "cursor") else "first"
        catalog.execute(f"DELETE FROM {table} WHERE {column} = (SELECT max({column}) FROM {table})")
    image = read(stopped_store)
    assert f"its table {table} has" in problems(image)
    assert image.is_whole is False


def test_rows_are_found_when_sqlite_can_not_get_to_them(stopped_store: Path) -> None:
    whole = read(stopped_store)
    with edit(stopped_store / CATALOG) as catalog:
        ((root_page,),) = catalog.execute("SELECT rootpage FROM sqlite_master WHERE name='loose'")
    start = (root_page - 1) * page_size_of(stopped_store / CATALOG)
    with overwrite(stopped_store / CATALOG) as data:
        data[start] = 0x55
    image = read(stopped_store)
    assert "can't be read" in problems(image)
    assert image.logs == whole.logs
    assert image.cursors == whole.cursors
    assert image.extents == whole.extents


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_page_of_noise_is_told_and_what_stands_elsewhere_is_read(stopped_store: Path, page: int) -> None:
    size = page_size_of(stopped_store / CATALOG)
    with overwrite(stopped_store / CATALOG) as data:
        data[(page - 1) * size : page * size] = Random(size).randbytes(size)
    image = read(stopped_store)
    assert any(finding.is_damage for finding in image.findings)
    assert image.logs or image.cursors


def test_a_catalog_that_is_missing_is_told(stopped_store: Path) -> None:
    (stopped_store / CATALOG).unlink()
    image = read(stopped_store)
    assert "it is missing" in problems(image)
    assert (image.is_whole, image.logs, image.salt) == (False, {}, None)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 100_000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_catalog_is_told(stopped_store: Path, content: bytes) -> None:
    (stopped_store / CATALOG).write_bytes(content)
    image = read(stopped_store)
    assert any(finding.is_damage for finding in image.findings)
    assert image.is_whole is False


def test_a_newer_format_is_refused_before_anything_is_believed(stopped_store: Path) -> None:
    with edit(stopped_store / CATALOG) as catalog:
        catalog.execute("PRAGMA user_version=99")
        catalog.execute("DROP TABLE meta")
    with pytest.raises(NewerFormatError):
        read(stopped_store)
