"""What stands in one file of a store: a segment, or a file of the journal; part by part, damaged parts included."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from segue.storage.block import unpack_block
from segue.storage.entries import MAGIC, PAGE, Define, Enqueue, Entry, Read, Return, Settle, SettleAhead
from segue.storage.errors import RecordDamagedError
from segue.storage.record import Record, decode, verify
from segue.storage.tools.journal_image import FoundBatch, Gap, JournalImage, entries_of
from segue.storage.tools.pages import SQLITE_MAGIC
from segue.storage.tools.pieces import Message
from segue.storage.tools.segment_image import SegmentImage, read_segment_name, salt_of_segment

__all__ = ["Part", "UnknownFileError", "dump_file"]

Part = dict[str, Any]
"""One part of a file: `type` says which; a message has a `segue.storage.record.Record` as `record`."""

_PATH_PARTS: Final = 3


class UnknownFileError(Exception):
    """It is neither a segment nor a file of the journal."""

    code = "unknown-file"


def dump_file(path: Path) -> Iterator[Part]:
    """Every part of a file, in order.

    - `segment`: path, log; then `message`: log, seq, record
    - `batch`: lsn, offset, bytes, previous, entries; then its entries: `enqueue` (targets, count) with its `message`s,
      `settle` and `settle-ahead` (cursor, ranges), `read` (cursor, next), `return` (cursor, messages), `define`
      (definition)
    - `damage`: offset, bytes (-1: not known), problem
    - `torn`: lsn, bytes: what a crash has cut short

    Raises:
        UnknownFileError: it is something else.
        NewerFormatError: a newer Segue wrote it.
        OSError: it can't be read.
    """
    with open(path, "rb") as file:
        head = file.read(PAGE)
    if head.startswith(SQLITE_MAGIC) or read_segment_name("/".join(path.absolute().parts[-_PATH_PARTS:])):
        return _segment(path)
    if head.startswith(MAGIC) or path.name.endswith(".journal"):
        return _journal(path)
    raise UnknownFileError(f"{path}: neither a segment nor a file of the journal")


# -- segments


def _segment(path: Path) -> Iterator[Part]:
    name = read_segment_name("/".join(path.absolute().parts[-_PATH_PARTS:]))
    log = name.log if name is not None else _log_in(path)
    salt = salt_of_segment(path)
    if log is None or salt is None:
        raise UnknownFileError(f"{path}: it does not say which log of which store it belongs to")
    image = SegmentImage(path, log, salt)
    yield {"type": "segment", "path": str(path), "log": log}
    for block in image.blocks():
        runs, bad = unpack_block(block)
        for first, records in runs:
            yield from (_message(log, message) for message in enumerate(records, first))
        for damage in bad:
            yield _damage(-1, -1, f"messages {damage.first}-{damage.last}: {damage.reason}")
    for problem in image.problems:
        yield _damage(-1, -1, problem)


def _log_in(path: Path) -> int | None:
    """The log that a segment says it is of."""
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
    try:
        row = connection.execute("SELECT value FROM meta WHERE key='log'").fetchone()
    except sqlite3.Error:
        return None
    finally:
        connection.close()
    return row[0] if row is not None and isinstance(row[0], int) else None


# -- the journal


def _journal(path: Path) -> Iterator[Part]:
    image = JournalImage(path.parent, None, only=path)
    (base,) = image.files
    for found in image.walk(base, None):
        if isinstance(found, Gap):
            yield _damage(found.lsn - base, found.size, "a batch is damaged, and a whole one follows")
            continue
        yield from _batch(found)
    for problem in image.cut.values():
        yield _damage(image.position - base, -1, f"{problem}: the file was cut")
    if image.torn_bytes:
        yield {"type": "torn", "lsn": image.position, "bytes": image.torn_bytes}


def _batch(batch: FoundBatch) -> Iterator[Part]:
    header = batch.header
    yield {
        "type": "batch",
        "lsn": batch.lsn,
        "offset": batch.offset,
        "bytes": header.size,
        "previous": header.previous,
        "entries": header.entries,
    }
    try:
        for found in entries_of(batch):
            yield from _entry(found.entry, batch.offset)
    except (RecordDamagedError, ValueError) as error:
        yield _damage(batch.offset, header.size, f"the batch contradicts itself: {error}")


def _entry(entry: Entry, offset: int) -> Iterator[Part]:
    match entry:
        case Enqueue():
            yield {
                "type": "enqueue",
                "targets": [list(target) for target in entry.targets],
                "count": len(entry.records),
            }
            for log, first in entry.targets[:1]:  # the others have the same
                for seq, record in enumerate(entry.records, first):
                    if verify(record):
                        yield _message(log, (seq, record))
                    else:
                        yield _damage(offset, -1, f"message {seq} of log {log}: its checksum is wrong")
        case Settle():
            yield {"type": "settle", "cursor": entry.cursor, "ranges": [list(part) for part in entry.ranges]}
        case SettleAhead():
            yield {"type": "settle-ahead", "cursor": entry.cursor, "ranges": [list(part) for part in entry.ranges]}
        case Read():
            yield {"type": "read", "cursor": entry.cursor, "next": entry.next}
        case Return():
            yield {"type": "return", "cursor": entry.cursor, "messages": [list(part) for part in entry.messages]}
        case Define():
            yield {"type": "define", "definition": entry.definition}


def _message(log: int, message: Message) -> Part:
    record: Record = decode(message[1])
    return {"type": "message", "log": log, "seq": message[0], "record": record}


def _damage(offset: int, size: int, problem: str) -> Part:
    return {"type": "damage", "offset": offset, "bytes": size, "problem": problem}
