"""The records of a companion log as bytes: which ids, or which numbers of producers, a batch has brought.

A record is a `segue.storage.record` of the encoding DEDUPLICATION without headers. Its body is a row of entries of 24
bytes, or of 32 where the log is one of producers (docs/formats/deduplication.md):

    ids        digest 16 bytes, sequence number of the message u64
    producers  digest 16 bytes, number u64, sequence number of the message u64
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from segue.broker.message import HEADERS_AT, Encoding, encode, prefix

__all__ = [
    "DIGEST_BYTES",
    "ID_BYTES",
    "ID_ENTRIES_MAX",
    "body_of",
    "digest_of",
    "digest_of_octets",
    "pack_producer",
    "pack_seq",
    "producers_of",
    "record_of",
    "seq_at",
]

DIGEST_BYTES: Final = 16
ID_BYTES: Final = DIGEST_BYTES + 8
ID_ENTRIES_MAX: Final = 4096
"""Ids in one record: 96 KiB, of which a cold read takes ten."""

_SEQ: Final = struct.Struct("<Q")
_PRODUCER: Final = struct.Struct("<16sQQ")

pack_seq: Final = _SEQ.pack


def digest_of(text: str) -> bytes:
    """What is kept of an id or of a producer's name, which may be long."""
    return digest_of_octets(text.encode("utf-8", "surrogatepass"))


def digest_of_octets(octets: bytes) -> bytes:
    """As `digest_of`, of its UTF-8."""
    return blake2b(octets, digest_size=DIGEST_BYTES).digest()


def seq_at(body: bytes | bytearray, at: int) -> int:
    """The message's sequence number in the entry of an id that begins at byte `at`."""
    seq: int
    (seq,) = _SEQ.unpack_from(body, at + DIGEST_BYTES)
    return seq


def pack_producer(digest: bytes, number: int, seq: int) -> bytes:
    """The entry of a producer."""
    return _PRODUCER.pack(digest, number, seq)


def producers_of(body: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The entries of producers: digest, number, sequence number."""
    whole = len(body) - len(body) % _PRODUCER.size
    return _PRODUCER.iter_unpack(body[:whole])


def record_of(time_ms: int, body: bytes) -> bytes:
    """A record of entries that were accepted at `time_ms`, milliseconds since 1970."""
    return encode(*prefix(time_ms, b"", encoding=Encoding.DEDUPLICATION), body)


def body_of(record: bytes) -> bytes:
    """The entries in a record."""
    return record[HEADERS_AT:]
