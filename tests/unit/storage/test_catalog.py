"""Tests of segue.storage.catalog: what is written is read back, all of it or nothing, and damage is named."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from segue.storage.catalog import CATALOG, Catalog
from segue.storage.catalog_rows import CatalogChange, CursorState, LogState
from segue.storage.disk import Statement
from segue.storage.errors import DamagedStoreError, DatabaseDamagedError, DiskFailureError, NewerFormatError
from segue.storage.journal import NO_BATCH
from segue.storage.log import Extent
from segue.storage.posix import PosixDisk
from tests.faults.storage.simulated_disk import Call, SimulatedDisk
from tests.unit.storage.catalogs import (
    CURSORS,
    LOGS,
    LOOSE,
    LOOSE_EXTENTS,
    SEGMENTS,
    block,
    change,
    everything,
    failing,
    opened,
    write,
)

Content = tuple[list[LogState], list[CursorState], list[tuple[int, Extent]]]


async def content_of(catalog: Catalog) -> Content:
    return await catalog.logs(), await catalog.cursors(), sorted(await catalog.extents())


async def reopened(root: Path) -> Content:
    """What a start finds."""
    async with opened(PosixDisk(root)) as catalog:
        return await content_of(catalog)


EVERYTHING: Content = (LOGS, CURSORS, sorted([*SEGMENTS, *LOOSE_EXTENTS]))


# -- what is written is read back


async def test_a_new_catalog_is_empty_and_begins_at_the_beginning(loop: None, tmp_path: Path) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        assert (catalog.lsn, catalog.previous, catalog.next_id, catalog.clean) == (0, NO_BATCH, 1, True)
        assert await content_of(catalog) == ([], [], [])
        salt = catalog.salt
    async with opened(PosixDisk(tmp_path)) as catalog:
        assert catalog.salt == salt
    (tmp_path / "other").mkdir()
    async with opened(PosixDisk(tmp_path / "other")) as catalog:
        assert catalog.salt != salt


async def test_rows_of_every_kind_are_read_back_as_they_were_written(loop: None, tmp_path: Path) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything())
        assert await content_of(catalog) == EVERYTHING
    async with opened(PosixDisk(tmp_path)) as catalog:
        assert await content_of(catalog) == EVERYTHING
        assert (catalog.lsn, catalog.previous, catalog.next_id, catalog.clean) == (8192, 4096, 7, True)


async def test_more_rows_than_one_statement_takes_are_all_written_and_all_removed(loop: None, tmp_path: Path) -> None:
    logs = [LogState(number, number, {"n": number}) for number in range(1, 1001, 2)]
    cursors = [CursorState(log.id + 1, log.id, log.id + 1, 1, {}, [(1, log.id)], {}) for log in logs]
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, change(logs=logs, cursors=cursors))
    assert await reopened(tmp_path) == (logs, cursors, [])
    async with opened(PosixDisk(tmp_path)) as catalog:
        gone = change(dropped_logs=[log.id for log in logs[3:]], dropped_cursors=[each.id for each in cursors[3:]])
        await write(catalog, gone)
    assert await reopened(tmp_path) == (logs[:3], cursors[:3], [])


async def test_a_later_checkpoint_replaces_what_it_names_and_leaves_the_rest(loop: None, tmp_path: Path) -> None:
    log = LogState(1, 20, {"kind": "queue", "name": "b"})
    cursor = replace(CURSORS[0], next=20, holes={15: 1}, quarantined=[(5, 5), (16, 18)])
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(
            catalog,
            everything(),
            change(logs=[log], cursors=[cursor], gone_segments=[(1, 1)], gone_loose=[(1, 9), (4, 9001)]),
        )
        assert (catalog.lsn, catalog.previous, catalog.next_id, catalog.clean) == (12288, 8192, 9, False)
    logs, cursors, extents = await reopened(tmp_path)
    assert (logs, cursors) == ([log, LOGS[1]], [cursor, *CURSORS[1:]])
    assert extents == sorted([SEGMENTS[1], LOOSE_EXTENTS[0]])


async def test_a_block_may_be_replaced_by_one_that_begins_at_the_same_number(loop: None, tmp_path: Path) -> None:
    joined = (1, 9, block(5, 7))
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything(), change(gone_loose=[(1, 5), (1, 9)], loose=[joined]))
    _, _, extents = await reopened(tmp_path)
    assert [extent for log, extent in extents if log == 1] == [
        SEGMENTS[0][1],
        Extent(5, 11, "", 7, len(joined[2].records), 9),
    ]


async def test_what_most_checkpoints_write_is_one_call_and_what_is_much_is_several(
    loop: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call waits for the event loop: with one for each statement, a checkpoint under load took half a second."""
    async with opened(PosixDisk(tmp_path)) as catalog:
        database = catalog._database
        execute_many = database.execute_many
        calls = list[int]()

        async def execute_and_count(statements: Iterable[Statement]) -> list[int]:
            changed = await execute_many(statements)
            calls.append(sum(changed))
            return changed

        monkeypatch.setattr(database, "execute_many", execute_and_count)
        await write(catalog, everything())
        rows_of_meta = calls.pop()
        assert calls == [len(LOGS) + len(CURSORS) + len(SEGMENTS) + len(LOOSE)]
        calls.clear()
        await write(catalog, change(segments=[(1, Extent(n, n, f"{n}", 1, 1, 1, 1)) for n in range(10, 5010)]))
        assert calls == [2048, 2048, 904, rows_of_meta]


async def test_a_log_that_is_dropped_takes_its_extents_along_and_nobody_elses(loop: None, tmp_path: Path) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything(), change(dropped_logs=[1, 77], dropped_cursors=[2, 78]))
    assert await reopened(tmp_path) == (LOGS[1:], CURSORS[1:], sorted([SEGMENTS[1], LOOSE_EXTENTS[2]]))


async def test_a_cursor_that_is_dropped_leaves_its_log(loop: None, tmp_path: Path) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything(), change(dropped_cursors=[6]))
    assert await reopened(tmp_path) == (LOGS, CURSORS[:2], EVERYTHING[2])


async def test_what_is_set_aside_stays_in_the_catalog_until_a_checkpoint_says_otherwise(
    loop: None, tmp_path: Path
) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything(), change(logs=[LOGS[0]]))
    _, cursors, _ = await reopened(tmp_path)
    assert [cursor.quarantined for cursor in cursors] == [[(1, 2), (5, 5)], [], [(1, 1 << 39)]]
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, change(cursors=[replace(CURSORS[0], quarantined=[(2, 2)])]))
    _, cursors, _ = await reopened(tmp_path)
    assert [cursor.quarantined for cursor in cursors] == [[(2, 2)], [], [(1, 1 << 39)]]


async def test_a_change_without_a_place_in_the_journal_moves_nothing_but_its_rows(loop: None, tmp_path: Path) -> None:
    """Room is made on a full disk: replay begins where it would have begun, and no id is given away twice."""
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything(), CatalogChange(gone_segments=[(1, 1)]))
        before = (catalog.lsn, catalog.previous, catalog.next_id, catalog.clean)
    async with opened(PosixDisk(tmp_path)) as catalog:
        assert (catalog.lsn, catalog.previous, catalog.next_id, catalog.clean) == before == (8192, 4096, 7, True)
        assert (await content_of(catalog))[2] == sorted([SEGMENTS[1], *LOOSE_EXTENTS])


async def test_removing_what_is_not_there_is_no_error_and_is_not_counted(loop: None, tmp_path: Path) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        gone = change(dropped_logs=[50], dropped_cursors=[51], gone_segments=[(1, 2)], gone_loose=[(9, 9)])
        await write(catalog, everything(), gone)
    assert await reopened(tmp_path) == EVERYTHING


# -- all or nothing


async def test_the_swap_comes_with_the_commit_and_not_without_it(loop: None, tmp_path: Path) -> None:
    disk = SimulatedDisk(tmp_path)
    told = list[str]()
    async with opened(disk) as catalog:
        await catalog.apply(everything(), lambda: told.append(f"replay from {catalog.lsn}"))
        disk.fault = failing("execute_many", errno.EIO)
        with pytest.raises(OSError, match="Input/output error"):
            await catalog.apply(change(logs=LOGS), lambda: told.append("not written"))
    assert told == ["replay from 8192"]


OTHER = change(
    logs=[LogState(1, 99, {}), LogState(8, 1, {})],
    cursors=[replace(CURSORS[0], next=99)],
    dropped_logs=[4],
    dropped_cursors=[5, 6],
    segments=[(1, Extent(12, 98, "segments/1/12-98.db", 87, 1, 1, 1))],
    loose=[(1, 1, block(99, 1))],
    gone_segments=[(1, 1)],
    gone_loose=[(1, 5)],
)
STATEMENTS = 11
"""Of `OTHER`: one for each of six deletions and four insertions, and one for `meta`."""


@pytest.mark.parametrize("after", range(STATEMENTS))
async def test_a_checkpoint_that_fails_half_way_has_changed_nothing_and_the_next_one_succeeds(
    loop: None, tmp_path: Path, after: int
) -> None:
    number = (errno.EIO, errno.ENOSPC)[after % 2]
    disk = SimulatedDisk(tmp_path)
    async with opened(disk) as catalog:
        await write(catalog, everything())
        disk.fault = failing("execute_many", number, after)
        with pytest.raises(OSError, match=os.strerror(number)):
            await write(catalog, OTHER)
        disk.fault = lambda call: None
        assert await content_of(catalog) == EVERYTHING
        assert (catalog.lsn, catalog.next_id, catalog.clean) == (8192, 7, True)
        disk.calls.clear()
        await write(catalog, OTHER)
        assert disk.calls == [Call("execute_many", CATALOG)] * STATEMENTS + [Call("commit", CATALOG)]
        found = await content_of(catalog)
    assert await reopened(tmp_path) == found
    assert [state.id for state in found[0]] == [1, 8]
    assert [state.id for state in found[1]] == [2]


async def test_a_full_disk_at_the_commit_has_changed_nothing_and_the_next_one_succeeds(
    loop: None, tmp_path: Path
) -> None:
    disk = SimulatedDisk(tmp_path)
    async with opened(disk) as catalog:
        await write(catalog, everything())
        disk.fault = failing("commit", errno.ENOSPC)
        with pytest.raises(OSError, match="No space left"):
            await write(catalog, OTHER)
        assert await content_of(catalog) == EVERYTHING
        disk.fault = lambda call: None
        await write(catalog, change(dropped_cursors=[6]))
    assert await reopened(tmp_path) == (LOGS, CURSORS[:2], EVERYTHING[2])


@pytest.mark.parametrize("lands", [False, True])
async def test_after_a_commit_of_unknown_outcome_there_is_no_other_one(loop: None, tmp_path: Path, lands: bool) -> None:
    disk = SimulatedDisk(tmp_path)
    disk.commit_lands = lands
    async with opened(disk) as catalog:
        await write(catalog, everything())
        disk.fault = failing("commit", errno.EIO)
        with pytest.raises(DiskFailureError, match="Input/output error"):
            await write(catalog, change(dropped_cursors=[6]))
        disk.fault = lambda call: None
        with pytest.raises(DiskFailureError, match="an earlier commit has failed"):
            await write(catalog, change(dropped_cursors=[5]))
    cursors = CURSORS[:2] if lands else CURSORS
    assert await reopened(tmp_path) == (LOGS, cursors, EVERYTHING[2])


@pytest.mark.parametrize(
    "fields",
    [{"segments": SEGMENTS[:1]}, {"loose": LOOSE[1:2]}, {"cursors": [CURSORS[1]] * 2}, {"logs": [LOGS[0]] * 2}],
)
async def test_a_row_that_is_there_already_refuses_the_whole_change(
    loop: None, tmp_path: Path, fields: dict[str, Any]
) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything())
        with pytest.raises(DatabaseDamagedError, match="UNIQUE"):
            await write(catalog, change(dropped_cursors=[6], gone_loose=[(1, 5)], **fields))
        assert await content_of(catalog) == EVERYTHING
    assert await reopened(tmp_path) == EVERYTHING


async def test_a_commit_is_not_cancelled_half_way(loop: None, tmp_path: Path) -> None:
    told = list[bool]()
    async with opened(PosixDisk(tmp_path)) as catalog:
        with trio.CancelScope() as scope:
            scope.cancel()
            await catalog.apply(everything(), lambda: told.append(True))
        assert told == [True]
    assert await reopened(tmp_path) == EVERYTHING


# -- damage


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def edit(root: Path, *statements: str) -> None:
    """Change a catalog that is closed, behind its back."""
    connection = sqlite3.connect(root / CATALOG)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


ALL_COLUMNS = {
    "log": {"id": "77", "head": "head+1", "definition": "'{}'", "crc": "crc+1"},
    "cursor": {
        "id": "77",
        "log": "log+1",
        "next": "next-1",
        "promised": "promised+1",
        "holes": "zeroblob(16)",
        "quarantined": "x''",
        "definition": "'[]'",
        "crc": "crc+1",
    },
    "segment": {
        "log": "log+1",
        "first": "first+1",
        "last": "last+1",
        "path": "path||'x'",
        "messages": "messages-1",
        "bytes": "bytes+1",
        "written_ms": "written_ms+1",
        "file_bytes": "file_bytes+1",
        "crc": "crc+1",
    },
    "loose": {
        "log": "log+1",
        "first": "first+1",
        "last": "last+1",
        "messages": "messages-1",
        "written_ms": "written_ms+1",
        "crc": "crc+1",
        "records": "substr(records, 2)",
    },
}
"""Something else for every column of every table."""
ONE_ROW = {"log": "id=1", "cursor": "id=2", "segment": "log=1", "loose": "first=5"}


async def test_every_column_of_every_table_is_known_here(loop: None, tmp_path: Path) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        tables = await catalog._database.fetch("SELECT name FROM sqlite_schema WHERE type='table' AND name != 'meta'")
        columns = {
            table: {name for _, name, *_ in await catalog._database.fetch(f"PRAGMA table_info({table})")}
            for (table,) in tables
        }
    assert columns == {table: set(values) for table, values in ALL_COLUMNS.items()}


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, names in ALL_COLUMNS.items() for column in names]
)
async def test_a_row_with_anything_else_in_any_column_is_refused(
    loop: None, tmp_path: Path, table: str, column: str
) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything())
    edit(tmp_path, f"UPDATE {table} SET {column}={ALL_COLUMNS[table][column]} WHERE {ONE_ROW[table]}")
    with pytest.raises(DamagedStoreError, match=f"the checksum of row .* of its table {table} is wrong") as caught:
        await reopened(tmp_path)
    assert str(caught.value).startswith("catalog.db: ")
    assert "segue storage check" in str(caught.value)


@pytest.mark.parametrize("table", ALL_COLUMNS)
async def test_a_row_that_is_missing_is_noticed(loop: None, tmp_path: Path, table: str) -> None:
    """A page of the b-tree that is cut off takes sound rows with it, and leaves no wrong checksum."""
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything())
    known = {"log": 2, "cursor": 3, "segment": 2, "loose": 3}[table]
    edit(tmp_path, f"DELETE FROM {table} WHERE {ONE_ROW[table]}")
    with pytest.raises(DamagedStoreError, match=f"its table {table} has {known - 1} rows, written were {known}"):
        await reopened(tmp_path)


async def test_a_row_that_comes_back_from_the_dead_is_noticed(loop: None, tmp_path: Path) -> None:
    """Its checksum is right: it was a row once."""
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything())
    edit(tmp_path, "CREATE TABLE dead AS SELECT * FROM cursor WHERE id=6")
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, change(dropped_cursors=[6]))
    edit(tmp_path, "INSERT INTO cursor SELECT * FROM dead")
    with pytest.raises(DamagedStoreError, match="its table cursor has 3 rows, written were 2"):
        await reopened(tmp_path)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE meta SET value=4096 WHERE key='lsn'", "the checksum of its table meta is wrong"),
        ("UPDATE meta SET value=1 WHERE key='next_id'", "the checksum of its table meta is wrong"),
        ("UPDATE meta SET value=2 WHERE key='cursor_rows'", "the checksum of its table meta is wrong"),
        ("UPDATE meta SET value=1 WHERE key='check'", "the checksum of its table meta is wrong"),
        ("INSERT INTO meta VALUES('more', 1)", "the checksum of its table meta is wrong"),
        ("DELETE FROM meta WHERE key='salt'", "it lacks a value that every catalog has"),
        ("DELETE FROM meta", "it lacks a value that every catalog has"),
        ("DROP TABLE meta", "no such table: meta"),
    ],
)
async def test_damage_in_the_table_meta_is_refused_at_once(
    loop: None, tmp_path: Path, statement: str, reason: str
) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything())
    edit(tmp_path, statement)
    with pytest.raises(DamagedStoreError, match=reason):
        await reopened(tmp_path)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("PRAGMA application_id=7", "it is not a catalog of Segue"),
        ("PRAGMA user_version=0", "its format version is 0"),
    ],
)
async def test_a_file_that_is_no_catalog_is_refused(loop: None, tmp_path: Path, statement: str, reason: str) -> None:
    async with opened(PosixDisk(tmp_path)):
        pass
    edit(tmp_path, statement, "PRAGMA wal_checkpoint(TRUNCATE)")
    with pytest.raises(DamagedStoreError, match=reason):
        await reopened(tmp_path)


@pytest.mark.parametrize("data", [b"", b"SQLite", b"no database at all".ljust(4096, b".")])
async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(loop: None, tmp_path: Path, data: bytes) -> None:
    (tmp_path / CATALOG).write_bytes(data)
    with pytest.raises(DamagedStoreError, match="it is not a SQLite file"):
        await reopened(tmp_path)
    assert files_in(tmp_path) == {CATALOG: data}


async def test_a_newer_catalog_is_refused_and_left_as_it_is(loop: None, tmp_path: Path) -> None:
    async with opened(PosixDisk(tmp_path)):
        pass
    edit(tmp_path, "PRAGMA user_version=2")
    edit(tmp_path, "PRAGMA wal_checkpoint(TRUNCATE)")
    before = files_in(tmp_path)
    with pytest.raises(NewerFormatError, match="format version 2, this Segue knows versions up to 1"):
        await reopened(tmp_path)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("folder", ["journal", "segments"])
async def test_no_new_catalog_is_made_where_there_was_one(loop: None, tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "some").touch()
    with pytest.raises(DamagedStoreError, match=f"it is missing, and there are files in {folder}/"):
        await reopened(tmp_path)
    assert not (tmp_path / CATALOG).exists()


async def test_a_new_catalog_that_was_not_finished_is_made_again(loop: None, tmp_path: Path) -> None:
    for name in ("catalog.new", "catalog.new-wal", "catalog.new-journal"):
        (tmp_path / name).write_bytes(b"half a catalog")
    assert await reopened(tmp_path) == ([], [], [])
    assert [name for name in files_in(tmp_path) if "new" in name] == []
