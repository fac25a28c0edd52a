"""Journal entries and batches as bytes: the codec of the journal, without any I/O.

A batch is one group commit (docs/formats/journal.md). Layout, little-endian:

    offset size
         0    4  magic `SGJ1`
         4    4  size of header and entries in bytes, without padding
         8    4  CRC-32 of everything behind it (from offset 12 to size)
        12    4  number of entries
        16    8  LSN: position of this batch in the journal
        24    8  LSN of the batch before it
        32    8  salt of the store: random, so that no message body can pretend to be a batch
        40    …  entries, then zeros up to a multiple of 4096

An entry is `type u8, zeros u8 x 3, size of payload u32, payload`:

    1 ENQUEUE  count u32, targets u32, targets x (log u64, first seq u64), records
    2 SETTLE   cursor u64, ranges x (first u64, last u64)
    3 READ     cursor u64, next u64: everything below may have been delivered
    4 RETURN   cursor u64, messages x (seq u64, standing u64), see standing.py
    5 DEFINE   JSON object, UTF-8: something is created, changed or removed
    6 SETTLE_AHEAD  as SETTLE, of messages that were never handed out: those between are still unread

To add an entry type: a new number here, `decode_entries`, the replay in replay.py, docs/formats/journal.md. An
unknown type in a valid batch means a newer Segue: it is refused, never skipped.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

from segue.storage.errors import RecordDamagedError
from segue.storage.record import split
from segue.storage.standing import pairs_of, standings_of

__all__ = [
    "BATCH_HEADER_SIZE",
    "MAGIC",
    "PAGE",
    "BatchHeader",
    "Define",
    "Enqueue",
    "Entry",
    "Read",
    "Return",
    "Settle",
    "SettleAhead",
    "UnknownEntryError",
    "batch_header",
    "decode_entries",
    "define_entry",
    "enqueue_entry",
    "enqueue_head",
    "padded",
    "parse_batch_header",
    "ranges_of",
    "read_entry",
    "return_entry",
    "settle_ahead_entry",
    "settle_entry",
]

MAGIC = b"SGJ1"
PAGE = 4096
"""Batches start at multiples of this, so that no durable sector is ever written again."""
BATCH_HEADER_SIZE = 40

_HEADER = struct.Struct("<4sIIIQQQ")
_CHECKED = struct.Struct("<IQQQ")
_ENTRY = struct.Struct("<BxxxI")
_COUNTS = struct.Struct("<II")
_PAIR = struct.Struct("<QQ")
_ID = struct.Struct("<Q")

ENQUEUE, SETTLE, READ, RETURN, DEFINE, SETTLE_AHEAD = 1, 2, 3, 4, 5, 6


class UnknownEntryError(Exception):
    """A valid batch holds an entry type that this version does not know."""

    def __init__(self, kind: int) -> None:
        super().__init__(f"entry type {kind}")
        self.kind = kind


class BatchHeader(NamedTuple):
    """What stands in front of a batch."""

    size: int
    crc: int
    entries: int
    lsn: int
    previous: int
    salt: int


class Enqueue(NamedTuple):
    """`count` records were appended to each of `targets` (log id, first sequence number)."""

    targets: tuple[tuple[int, int], ...]
    records: list[bytes]


class Settle(NamedTuple):
    """These sequence numbers (inclusive ranges) of a cursor are done for good."""

    cursor: int
    ranges: list[tuple[int, int]]


class SettleAhead(NamedTuple):
    """These sequence numbers (inclusive ranges) of a cursor are done, and it has not come to them yet."""

    cursor: int
    ranges: list[tuple[int, int]]


class Read(NamedTuple):
    """Everything below `next` may have been delivered by this cursor."""

    cursor: int
    next: int


class Return(NamedTuple):
    """These messages came back to their place: (sequence number, standing)."""

    cursor: int
    messages: list[tuple[int, int]]


class Define(NamedTuple):
    """A definition: see storage/definitions.py for the objects."""

    definition: dict[str, Any]


Entry = Enqueue | Settle | SettleAhead | Read | Return | Define


def padded(size: int) -> int:
    """`size` rounded up to whole pages."""
    return -(-size // PAGE) * PAGE


def batch_header(entries: int, parts: Sequence[bytes], lsn: int, previous: int, salt: int) -> bytes:
    """The header for a batch whose entries are `parts`, joined."""
    checked = _CHECKED.pack(entries, lsn, previous, salt)
    crc = crc32(checked)
    size = BATCH_HEADER_SIZE
    for part in parts:
        crc = crc32(part, crc)
        size += len(part)
    return _HEADER.pack(MAGIC, size, crc, entries, lsn, previous, salt)


def parse_batch_header(data: bytes) -> BatchHeader | None:
    """The header at the start of `data`, or None where there is none. The checksum is not looked at."""
    if len(data) < BATCH_HEADER_SIZE or data[:4] != MAGIC:
        return None
    _, size, crc, entries, lsn, previous, salt = _HEADER.unpack_from(data)
    return BatchHeader(size, crc, entries, lsn, previous, salt) if size >= BATCH_HEADER_SIZE else None


def enqueue_entry(targets: Iterable[tuple[int, int]], records: list[bytes]) -> bytes:
    """ENQUEUE as bytes."""
    blob = b"".join(records)
    return enqueue_head(targets, len(records), len(blob)) + blob


def enqueue_head(targets: Iterable[tuple[int, int]], count: int, size: int) -> bytes:
    """What stands in an ENQUEUE before its `count` records of together `size` bytes."""
    pairs = b"".join([_PAIR.pack(*target) for target in targets])
    head = _ENTRY.pack(ENQUEUE, _COUNTS.size + len(pairs) + size)
    return b"".join((head, _COUNTS.pack(count, len(pairs) // _PAIR.size), pairs))


def settle_entry(cursor: int, ranges: Iterable[tuple[int, int]]) -> bytes:
    """SETTLE as bytes."""
    return _with_cursor(SETTLE, cursor, ranges)


def settle_ahead_entry(cursor: int, ranges: Iterable[tuple[int, int]]) -> bytes:
    """SETTLE_AHEAD as bytes."""
    return _with_cursor(SETTLE_AHEAD, cursor, ranges)


def return_entry(cursor: int, messages: Iterable[tuple[int, int]]) -> bytes:
    """RETURN as bytes."""
    return _with_cursor(RETURN, cursor, pairs_of(messages))


def read_entry(cursor: int, next_seq: int) -> bytes:
    """READ as bytes."""
    return _ENTRY.pack(READ, _PAIR.size) + _PAIR.pack(cursor, next_seq)


def define_entry(definition: dict[str, Any]) -> bytes:
    """DEFINE as bytes."""
    payload = json.dumps(definition, separators=(",", ":"), sort_keys=True).encode()
    return _ENTRY.pack(DEFINE, len(payload)) + payload


def ranges_of(seqs: list[int]) -> list[tuple[int, int]]:
    """Sequence numbers, in any order and without repeats, as inclusive ranges. Sorts in place."""
    first, last = seqs[0], seqs[-1]
    if last - first + 1 == len(seqs) and all(map(int.__le__, seqs, seqs[1:])):
        return [(first, last)]
    seqs.sort()
    ranges = []
    first = last = seqs[0]
    for seq in seqs[1:]:
        if seq != last + 1:
            ranges.append((first, last))
            first = seq
        last = seq
    ranges.append((first, last))
    return ranges


def decode_entries(data: bytes, count: int) -> Iterator[Entry]:
    """The `count` entries of a batch whose checksum is right.

    Raises:
        UnknownEntryError: an entry type of a newer version.
        RecordDamagedError: sizes don't add up, which a right checksum rules out unless a writer was wrong.
    """
    offset = 0
    for _ in range(count):
        if offset + _ENTRY.size > len(data):
            raise RecordDamagedError(f"an entry at byte {offset} of {len(data)} is cut short")
        kind, size = _ENTRY.unpack_from(data, offset)
        offset += _ENTRY.size
        if size > len(data) - offset:
            raise RecordDamagedError(f"an entry at byte {offset} of {len(data)} claims {size} bytes")
        yield _decode(kind, data[offset : offset + size])
        offset += size


def _with_cursor(kind: int, cursor: int, pairs: Iterable[tuple[int, int]]) -> bytes:
    body = b"".join([_PAIR.pack(*pair) for pair in pairs])
    return b"".join((_ENTRY.pack(kind, _ID.size + len(body)), _ID.pack(cursor), body))


_OF_RANGES: Final[dict[int, type[Settle | SettleAhead]]] = {SETTLE: Settle, SETTLE_AHEAD: SettleAhead}


def _cursor_and_pairs(payload: bytes) -> tuple[int, list[tuple[int, int]]]:
    (cursor,) = _ID.unpack_from(payload)
    return cursor, list(_PAIR.iter_unpack(payload[_ID.size :]))


def _decode(kind: int, payload: bytes) -> Entry:
    if kind == ENQUEUE:
        count, targets = _COUNTS.unpack_from(payload)
        at = _COUNTS.size + targets * _PAIR.size
        pairs = tuple(_PAIR.iter_unpack(payload[_COUNTS.size : at]))
        return Enqueue(pairs, list(split(payload, count, at)))
    if kind in _OF_RANGES:
        return _OF_RANGES[kind](*_cursor_and_pairs(payload))
    if kind == RETURN:
        cursor, halves = _cursor_and_pairs(payload)
        return Return(cursor, list(standings_of(halves).items()))
    if kind == READ:
        return Read(*_PAIR.unpack(payload))
    if kind == DEFINE:
        return Define(json.loads(payload))
    raise UnknownEntryError(kind)
