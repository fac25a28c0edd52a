"""Segment files and blocks: how old records are kept in SQLite.

A block is at most 64 messages or 64 KiB of one log with sequence numbers that follow each other; a row of
`block(first, last, count, records)`. Blocks, not rows a message: CPython gives up the GIL at every `sqlite3_step`.

A segment is written once into a file that nobody knows, synced with its folder, and then named in the catalog.
After that it never changes. `meta` holds the format version, the log and the store's salt, so that a file that
strayed in from elsewhere is recognised.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import trio

from segue.storage.disk import Database, Disk
from segue.storage.errors import DamagedStoreError, NewerFormatError, RecordDamagedError
from segue.storage.record import split, verify
from segue.storage.window import Block

__all__ = [
    "BLOCK_BYTES_MAX",
    "BLOCK_MESSAGES_MAX",
    "SEGMENT_FORMAT",
    "SEGMENTS_DIRECTORY",
    "blocks_of",
    "read_blocks",
    "segment_path",
    "unpack_block",
    "write_segment",
]

SEGMENTS_DIRECTORY: Final = "segments"
SEGMENT_FORMAT: Final = 1
BLOCK_MESSAGES_MAX: Final = 64
BLOCK_BYTES_MAX: Final = 64 << 10

PackedBlock = tuple[int, int, int, bytes]
"""first, last, count, records: a row of the table `block`."""

_ROWS_A_STEP: Final = 128
"""Rows in one INSERT: one `sqlite3_step`, and so one hand-over of the GIL, for 8,192 messages."""
_SCHEMA: Final = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE block(first INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL, records BLOB NOT NULL)",
)


def segment_path(log_id: int, first: int, last: int) -> str:
    """Path of the segment file for a run of a log."""
    return f"{SEGMENTS_DIRECTORY}/{log_id}/{first}-{last}.db"


def blocks_of(messages: Iterable[tuple[int, bytes]]) -> Iterator[PackedBlock]:
    """Pack messages (sequence number, record), rising, into blocks. A gap in the numbers starts a new block."""
    first = expected = size = 0
    records: list[bytes] = []
    for seq, record in messages:
        if records and (seq != expected or len(records) >= BLOCK_MESSAGES_MAX or size + len(record) > BLOCK_BYTES_MAX):
            yield first, expected - 1, len(records), b"".join(records)
            records = []
            size = 0
        if not records:
            first = seq
        records.append(record)
        size += len(record)
        expected = seq + 1
    if records:
        yield first, expected - 1, len(records), b"".join(records)


def unpack_block(first: int, last: int, count: int, blob: bytes) -> tuple[list[Block], list[tuple[int, str]]]:
    """The records of a block, every checksum verified.

    Returns:
        Runs of sound records, and (sequence number, reason) for each damaged one.
    """
    if count != last - first + 1:
        return [], [(seq, f"block {first}-{last} counts {count} messages") for seq in range(first, last + 1)]
    runs: list[Block] = []
    bad: list[tuple[int, str]] = []
    seq = first
    try:
        for record in split(blob, count):
            if not verify(record):
                bad.append((seq, "its checksum is wrong"))
            elif runs and runs[-1][0] + len(runs[-1][1]) == seq:
                runs[-1][1].append(record)
            else:
                runs.append((seq, [record]))
            seq += 1
    except RecordDamagedError as error:
        bad += [(lost, str(error)) for lost in range(seq, last + 1)]
    return runs, bad


async def write_segment(disk: Disk, path: str, log_id: int, salt: int, blocks: Iterable[PackedBlock]) -> None:
    """Write a segment file and make it durable. Until the catalog names it, it is garbage.

    Raises:
        OSError, sqlite3.Error: it could not be written; what there is of it is removed.
    """
    folder = path.rpartition("/")[0]
    await trio.to_thread.run_sync(disk.make_directory, folder)
    await trio.to_thread.run_sync(disk.unlink, path)  # garbage of a checkpoint that did not come to its end
    try:
        database = await disk.open_database(path, mode="build")
        try:
            for statement in _SCHEMA:
                await database.execute(statement)
            meta: list[tuple[str, Any]] = [("format", SEGMENT_FORMAT), ("log", log_id), ("salt", f"{salt:016x}")]
            await database.execute_many("INSERT INTO meta VALUES(?,?)", meta)
            await insert_blocks(database, blocks)
            await database.commit()
        finally:
            with trio.CancelScope(shield=True):
                await database.close()
        await trio.to_thread.run_sync(disk.sync_file, path)
        await trio.to_thread.run_sync(disk.sync_directory, folder)
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(disk.unlink, path)
        raise


async def insert_blocks(database: Database, blocks: Iterable[PackedBlock]) -> None:
    """Insert rows with few statements; `blocks` is consumed bit by bit in the database's thread."""
    rest = iter(blocks)
    many = "INSERT INTO block VALUES" + ",".join(["(?,?,?,?)"] * _ROWS_A_STEP)
    left: list[PackedBlock] = []

    def full_statements() -> Iterator[list[Any]]:
        while True:
            rows = list(islice(rest, _ROWS_A_STEP))
            if len(rows) < _ROWS_A_STEP:
                left.extend(rows)
                return
            yield [value for row in rows for value in row]

    await database.execute_many(many, full_statements())
    await database.execute_many("INSERT INTO block VALUES(?,?,?,?)", left)


async def read_blocks(
    disk: Disk, path: str, log_id: int, salt: int, seq: int, end: int, bytes_max: int
) -> tuple[list[PackedBlock], bool]:
    """Blocks of a segment that hold sequence numbers in [seq, end), about `bytes_max` bytes of them.

    Returns:
        The rows, and True when the segment has no more of that range.

    Raises:
        DamagedStoreError: it is no segment, or not this store's.
        NewerFormatError: a newer Segue wrote it.
        OSError, sqlite3.Error: it can't be read.
    """
    database = await disk.open_database(path, mode="read")
    try:
        await _check_meta(database, disk, path, log_id, salt)
        rows: list[PackedBlock] = []
        total = 0
        while total < bytes_max:
            limit = 16 if not rows else max(1, min(64, (bytes_max - total) * len(rows) // max(total, 1) + 1))
            found = await database.fetch(
                "SELECT first, last, count, records FROM block WHERE last >= ? AND first < ? AND first >= ? ORDER BY first LIMIT ?",
                (seq, end, seq - BLOCK_MESSAGES_MAX, limit),
            )
            rows += [(first, last, count, records) for first, last, count, records in found]
            if len(found) < limit:
                return rows, True
            seq = rows[-1][1] + 1
            total += sum(len(row[3]) for row in found)
        return rows, False
    finally:
        with trio.CancelScope(shield=True):
            await database.close()


async def _check_meta(database: Database, disk: Disk, path: str, log_id: int, salt: int) -> None:
    from pathlib import Path

    meta = dict(await database.fetch("SELECT key, value FROM meta"))
    if int(meta.get("format", 0)) > SEGMENT_FORMAT:
        raise NewerFormatError(Path(path), int(meta["format"]), SEGMENT_FORMAT)
    if meta.get("log") != log_id or meta.get("salt") != f"{salt:016x}":
        raise DamagedStoreError(Path(path), -1, -1, f"this segment is not one of log {log_id} of this store")


READ_ERRORS: Final = (OSError, sqlite3.Error, DamagedStoreError, NewerFormatError)
"""What reading a segment may raise when the disk or the file is at fault."""
