"""A record: one message, encoded once on arrival. The same bytes stand in the journal, in memory and in a block.

Layout, little-endian (docs/formats/record.md has a worked example):

    offset size
         0    4  size of the whole record in bytes, these four included
         4    4  CRC-32 of everything behind it
         8    8  accepted, milliseconds since 1970 UTC
        16    8  expires, milliseconds since 1970 UTC, 0 = never
        24    1  encoding of the headers (`Encoding`)
        25    1  flags (`PERSISTENT`)
        26    2  deliveries before it was put where it is now; 0 but for what a consumer has put off
        28    4  size of the headers in bytes
        32    …  headers, then body

A version bump: a new `Encoding` for other headers; for another layout a new entry type in the journal and a new
block format, as a record itself carries no version.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

from segue.storage.checksum import crc32_joined
from segue.storage.errors import RecordDamagedError

__all__ = [
    "HEADERS_AT",
    "PERSISTENT",
    "SIZE_CRC",
    "Encoding",
    "Record",
    "decode",
    "deliveries_of",
    "encode",
    "encode_pieces",
    "headers_end",
    "prefix",
    "split",
    "times",
    "verify",
    "with_deliveries",
]

HEADERS_AT = 32
PERSISTENT = 1

SIZE_CRC = struct.Struct("<II")
"""What a record begins with."""
_FIXED = struct.Struct("<QQBBHI")
_TIMES = struct.Struct("<QQ")
_headers_size = struct.Struct("<I").unpack_from  # `int.from_bytes` of a slice takes twice as long
_pack_size_crc = SIZE_CRC.pack
_DELIVERIES_AT = 26
_DELIVERIES_END = 28


class Encoding(enum.IntEnum):
    """In which protocol's form the headers of a record are kept."""

    STOMP = 1
    """STOMP 1.2 header lines, each ended by LF, then `content-length` and a blank line: a MESSAGE's own bytes."""
    SCHEDULED = 2
    """A frame round a message that is to be delivered later: what is to become of it, and as the body its record."""
    DEDUPLICATION = 3
    """No message and no headers: what a queue remembers of its publishers (docs/formats/deduplication.md)."""


class Record(NamedTuple):
    """A decoded record."""

    accepted_ms: int
    expires_ms: int
    encoding: int
    flags: int
    headers: bytes
    body: bytes


def prefix(
    accepted_ms: int,
    headers: bytes,
    flags: int = PERSISTENT,
    expires_ms: int = 0,
    encoding: int = Encoding.STOMP,
    headers_more: int = 0,
) -> tuple[bytes, int]:
    """What messages with the same headers, accepted in the same read, have in common.

    Args:
        accepted_ms: see the module, as for the next ones.
        headers: the headers.
        flags: the flags.
        expires_ms: when they expire.
        encoding: that of the headers.
        headers_more: bytes of further headers, which differ; `encode` is given them in front of the body.

    Returns:
        The bytes between the checksum and the body, and the checksum over them, to go into `encode`.
    """
    common = _FIXED.pack(accepted_ms, expires_ms, encoding, flags, 0, len(headers) + headers_more) + headers
    return common, crc32(common)


def encode(common: bytes, common_crc: int, body: bytes) -> bytes:
    """A record from a `prefix` and a body. This is on the path of every message."""
    return b"".join((_pack_size_crc(8 + len(common) + len(body), crc32(body, common_crc)), common, body))


def encode_pieces(common: bytes, common_crc: int, pieces: Sequence[bytes], pieces_crc: int) -> bytes:
    """As `encode`, of a large body that came in pieces, and whose checksum was made piece by piece."""
    size = sum(map(len, pieces))
    crc = crc32_joined(common_crc, pieces_crc, size)
    return b"".join((_pack_size_crc(8 + len(common) + size, crc), common, *pieces))


def decode(record: bytes) -> Record:
    """The parts of a record that `verify` accepts."""
    accepted_ms, expires_ms, encoding, flags, _, headers_size = _FIXED.unpack_from(record, 8)
    end = HEADERS_AT + headers_size
    return Record(accepted_ms, expires_ms, encoding, flags, record[HEADERS_AT:end], record[end:])


def headers_end(record: bytes) -> int:
    """Where the headers of a record end, and its body begins."""
    size: int = _headers_size(record, HEADERS_AT - 4)[0]
    return HEADERS_AT + size


def times(record: bytes) -> tuple[int, int]:
    """When a record was accepted and when it expires (0: never), milliseconds since 1970; without the rest of it."""
    accepted_ms, expires_ms = _TIMES.unpack_from(record, 8)
    return accepted_ms, expires_ms


def deliveries_of(record: bytes) -> int:
    """How often a message was delivered before it was put where it is now."""
    return int.from_bytes(record[_DELIVERIES_AT:_DELIVERIES_END], "little")


def with_deliveries(record: bytes, deliveries: int) -> bytes:
    """The same record, after so many deliveries; of more than 65,535 it forgets the rest."""
    count = min(deliveries, 0xFFFF).to_bytes(_DELIVERIES_END - _DELIVERIES_AT, "little")
    changed = b"".join((record[8:_DELIVERIES_AT], count, record[_DELIVERIES_END:]))
    return _pack_size_crc(len(record), crc32(changed)) + changed


def verify(record: bytes) -> bool:
    """True when size and checksum of a record are right."""
    if len(record) < HEADERS_AT:
        return False
    size: int
    crc: int
    size, crc = SIZE_CRC.unpack_from(record)
    return size == len(record) and crc == crc32(memoryview(record)[8:])


def split(blob: bytes, count: int, offset: int = 0) -> Iterator[bytes]:
    """The `count` records that stand one behind the other in `blob` from `offset`; checksums are not looked at.

    Raises:
        RecordDamagedError: their sizes do not add up.
    """
    end = len(blob)
    for _ in range(count):
        if end - offset < HEADERS_AT:
            raise RecordDamagedError(f"a record at byte {offset} of {end} is cut short")
        size = int.from_bytes(blob[offset : offset + 4], "little")
        if not HEADERS_AT <= size <= end - offset:
            raise RecordDamagedError(f"a record at byte {offset} of {end} claims {size} bytes")
        yield blob[offset : offset + size]
        offset += size
