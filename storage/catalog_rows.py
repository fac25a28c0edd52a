"""The rows of the catalog: their columns, their checksums, and the statements that change them.

The `crc` of a row is the CRC-32 of its table's name and its other columns in order, as UTF-8 text joined by `|`; a
BLOB counts as its own CRC-32, the records of a loose block as their size (each record has a checksum of its own).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any, Final, NamedTuple
from zlib import crc32

from segue.storage.block import PackedBlock
from segue.storage.disk import Database, Row
from segue.storage.gaps import Gaps
from segue.storage.log import Extent
from segue.storage.standing import pairs_of, standings_of

__all__ = [
    "SCHEMA",
    "TABLES",
    "CatalogChange",
    "CursorState",
    "LogState",
    "checksum",
    "cursor_of",
    "log_of",
    "loose_extent_of",
    "meta_of",
    "meta_rows",
    "segment_extent_of",
    "write_change",
]

TABLES: Final = ("log", "cursor", "segment", "loose")
SCHEMA: Final = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE log(id INTEGER PRIMARY KEY, head INTEGER NOT NULL, definition TEXT NOT NULL, crc INTEGER NOT NULL)",
    (
        "CREATE TABLE cursor(id INTEGER PRIMARY KEY, log INTEGER NOT NULL, next INTEGER NOT NULL,"
        " promised INTEGER NOT NULL, holes BLOB NOT NULL, quarantined BLOB NOT NULL, definition TEXT NOT NULL,"
        " crc INTEGER NOT NULL)"
    ),
    (
        "CREATE TABLE segment(log INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, path TEXT NOT NULL,"
        " messages INTEGER NOT NULL, bytes INTEGER NOT NULL, written_ms INTEGER NOT NULL, file_bytes INTEGER NOT NULL,"
        " crc INTEGER NOT NULL, PRIMARY KEY(log, first)) WITHOUT ROWID"
    ),
    (
        "CREATE TABLE loose(log INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
        " messages INTEGER NOT NULL, written_ms INTEGER NOT NULL, crc INTEGER NOT NULL, records BLOB NOT NULL,"
        " PRIMARY KEY(log, first))"
    ),
)
_META_KEYS: Final = frozenset(
    {"salt", "lsn", "previous", "next_id", "clean", "check", *(f"{table}_rows" for table in TABLES)}
)
_PAIR: Final = struct.Struct("<QQ")
_ROWS_A_STEP: Final = 128
"""Rows in one statement: each `sqlite3_step` hands over the GIL."""
_ROWS_A_CALL: Final = 16 * _ROWS_A_STEP
"""All of most checkpoints: a call takes some steps of the event loop. That of ten thousand queues takes a second, and
who reads a loose block meanwhile has his turn between two calls."""


@dataclass(slots=True)
class LogState:
    """A log as the catalog has it."""

    id: int
    head: int
    definition: dict[str, Any]


@dataclass(slots=True)
class CursorState:
    """A cursor as the catalog has it. `holes`: sequence number → standing; `quarantined`: ranges below `next`.

    `gaps` begin at `next` or above; they stand in the column `quarantined`, behind its ranges.
    """

    id: int
    log: int
    next: int
    promised: int
    holes: dict[int, int]
    quarantined: list[tuple[int, int]]
    definition: dict[str, Any]
    gaps: Gaps | None = None


@dataclass(slots=True)
class CatalogChange:
    """What one checkpoint writes, all of it or nothing.

    Attributes:
        lsn, previous: where replay will start; -1 when that is not to change.
        loose: (log, written_ms, block).
        gone_segments, gone_loose: (log, first).
    """

    lsn: int = -1
    previous: int = -1
    next_id: int = 0
    clean: bool = False
    logs: list[LogState] = field(default_factory=list)
    cursors: list[CursorState] = field(default_factory=list)
    dropped_logs: list[int] = field(default_factory=list)
    dropped_cursors: list[int] = field(default_factory=list)
    segments: list[tuple[int, Extent]] = field(default_factory=list)
    loose: list[tuple[int, int, PackedBlock]] = field(default_factory=list)
    gone_segments: list[tuple[int, int]] = field(default_factory=list)
    gone_loose: list[tuple[int, int]] = field(default_factory=list)


def checksum(table: str, *values: object) -> int:
    """The `crc` of a row: see the module."""
    return crc32("|".join([table, *(str(crc32(v) if isinstance(v, bytes) else v) for v in values)]).encode())


# -- rows to objects; each raises ValueError when the row is damaged


def log_of(row: Row) -> LogState:
    """A row of `log`."""
    identity, head, definition = _checked("log", row)
    return LogState(identity, head, json.loads(definition))


def cursor_of(row: Row) -> CursorState:
    """A row of `cursor`."""
    identity, log, next_seq, promised, holes, quarantined, definition = _checked("cursor", row)
    ranges = list(takewhile(lambda pair: pair[0] < next_seq, _PAIR.iter_unpack(quarantined)))
    ahead = quarantined[len(ranges) * _PAIR.size :]
    gaps = Gaps.unpack(ahead) if ahead else None
    return CursorState(
        identity,
        log,
        next_seq,
        promised,
        standings_of(_PAIR.iter_unpack(holes)),
        ranges,
        json.loads(definition),
        gaps,
    )


def segment_extent_of(row: Row) -> tuple[int, Extent]:
    """A row of `segment`: log and extent."""
    log, *columns = _checked("segment", row)
    return log, Extent(*columns)


def loose_extent_of(row: Row) -> tuple[int, Extent]:
    """(log, first, last, messages, size of the records, written_ms, crc) of `loose`: log and extent."""
    log, first, last, messages, size, written_ms = _checked("loose", row)
    return log, Extent(first, last, "", messages, size, written_ms)


def meta_of(rows: list[Row]) -> dict[str, Any]:
    """The table `meta`."""
    meta = {str(key): value for key, value in rows}
    if not meta.keys() >= _META_KEYS:
        raise ValueError("it lacks a value that every catalog has")
    if meta["check"] != _meta_checksum(meta):
        raise ValueError("the checksum of its table meta is wrong")
    return meta


def meta_rows(meta: dict[str, Any]) -> list[tuple[str, Any]]:
    """`meta` as rows, with a new checksum."""
    return list({**meta, "check": _meta_checksum(meta)}.items())


def _meta_checksum(meta: dict[str, Any]) -> int:
    return checksum("meta", *(f"{key}={meta[key]}" for key in sorted(meta) if key != "check"))


def _checked(table: str, row: Row) -> Row:
    if checksum(table, *row[:-1]) != row[-1]:
        raise ValueError(f"the checksum of row {row[0]!r} of its table {table} is wrong")
    return row[:-1]


# -- objects to rows


async def write_change(database: Database, change: CatalogChange, counts: dict[str, int]) -> dict[str, int]:
    """Write everything but `meta` into the open transaction. Returns the new number of rows of each table."""
    counts = dict(counts)
    for call in _calls(_statements_of(change)):
        changed = await database.execute_many([(each.sql, each.values) for each in call])
        for each, rows in zip(call, changed, strict=True):
            counts[each.table] += each.sign * rows
    return counts


class _Statement(NamedTuple):
    """A statement for `rows` rows at most; for each that it changes, its table has `sign` more than before."""

    table: str
    sign: int
    rows: int
    sql: str
    values: Iterator[list[Any]]


def _calls(statements: Iterable[_Statement]) -> Iterator[list[_Statement]]:
    call: list[_Statement] = []
    for statement in statements:
        if call and sum(each.rows for each in call) + statement.rows > _ROWS_A_CALL:
            yield call
            call = []
        call.append(statement)
    if call:
        yield call


def _statements_of(change: CatalogChange) -> Iterator[_Statement]:
    dropped = [(log,) for log in change.dropped_logs]
    yield from _delete("segment", "log", dropped)
    yield from _delete("loose", "log", dropped)
    yield from _delete("log", "id", dropped + [(state.id,) for state in change.logs])
    gone = [(cursor,) for cursor in change.dropped_cursors]
    yield from _delete("cursor", "id", gone + [(state.id,) for state in change.cursors])
    yield from _delete("segment", "log,first", change.gone_segments)
    yield from _delete("loose", "log,first", change.gone_loose)
    yield from _insert("log", 4, map(_log_row, change.logs), len(change.logs))
    yield from _insert("cursor", 8, map(_cursor_row, change.cursors), len(change.cursors))
    yield from _insert("segment", 9, map(_segment_row, change.segments), len(change.segments))
    yield from _insert("loose", 7, map(_loose_row, change.loose), len(change.loose))


def _log_row(state: LogState) -> Row:
    return _with_checksum("log", state.id, state.head, json.dumps(state.definition))


def _cursor_row(state: CursorState) -> Row:
    holes = b"".join([_PAIR.pack(*pair) for pair in pairs_of(sorted(state.holes.items()))])
    ranges = b"".join([_PAIR.pack(first, last) for first, last in state.quarantined])
    if state.gaps is not None:
        ranges += state.gaps.pack()
    return _with_checksum(
        "cursor", state.id, state.log, state.next, state.promised, holes, ranges, json.dumps(state.definition)
    )


def _segment_row(named: tuple[int, Extent]) -> Row:
    return _with_checksum("segment", named[0], *named[1])


def _loose_row(loose: tuple[int, int, PackedBlock]) -> Row:
    log, written_ms, (first, last, count, records) = loose
    crc = checksum("loose", log, first, last, count, len(records), written_ms)
    return log, first, last, count, written_ms, crc, records


def _with_checksum(table: str, *values: Any) -> Row:
    return (*values, checksum(table, *values))


def _insert(table: str, width: int, rows: Iterable[Row], number: int) -> Iterator[_Statement]:
    return _in_steps(table, 1, f"INSERT INTO {table} VALUES {{}}", width, rows, number)  # noqa: S608 - no value in it


def _delete(table: str, columns: str, keys: Sequence[Row]) -> Iterator[_Statement]:
    sql = f"DELETE FROM {table} WHERE ({columns}) IN (VALUES {{}})"  # noqa: S608
    return _in_steps(table, -1, sql, columns.count(",") + 1, keys, len(keys))


def _in_steps(table: str, sign: int, sql: str, width: int, rows: Iterable[Row], number: int) -> Iterator[_Statement]:
    """Statements for many rows at a time. The rows are made when these run, in the database's thread."""
    one = f"({','.join('?' * width)})"
    rest = iter(rows)
    while number > 0:
        size = min(number, _ROWS_A_STEP)
        times = min(number, _ROWS_A_CALL) // size
        yield _Statement(table, sign, size * times, sql.format(",".join([one] * size)), _values(rest, size, times))
        number -= size * times


def _values(rows: Iterator[Row], size: int, times: int) -> Iterator[list[Any]]:
    for _ in range(times):
        yield [value for row in islice(rows, size) for value in row]
