"""Blocks: up to 64 records of one log with numbers that follow each other, as one value of a database row.

Blocks, not rows a message: CPython gives up the GIL at every `sqlite3_step`. 64 of 256 bytes are one row of 20 KiB;
larger blocks read no faster and cost more where a single message is wanted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from zlib import crc32

from segue.storage.quarantine import Damage
from segue.storage.record import HEADERS_AT, SIZE_CRC, verify

__all__ = ["BLOCK_BYTES_MAX", "BLOCK_MESSAGES_MAX", "PackedBlock", "Run", "blocks_of", "unpack_block"]

BLOCK_MESSAGES_MAX: Final = 64
BLOCK_BYTES_MAX: Final = 64 << 10

Run = tuple[int, list[bytes]]
"""First sequence number and the records from there on, without a gap."""


class PackedBlock(NamedTuple):
    """A block as it stands in a row."""

    first: int
    last: int
    messages: int
    records: bytes


def blocks_of(messages: Iterable[tuple[int, bytes]]) -> Iterator[PackedBlock]:
    """Pack messages (sequence number, record), rising, into blocks. A gap in the numbers starts a new block."""
    first = expected = size = 0
    records: list[bytes] = []
    for seq, record in messages:
        if records and (seq != expected or len(records) >= BLOCK_MESSAGES_MAX or size + len(record) > BLOCK_BYTES_MAX):
            yield PackedBlock(first, expected - 1, len(records), b"".join(records))
            records = []
            size = 0
        if not records:
            first = seq
        records.append(record)
        size += len(record)
        expected = seq + 1
    if records:
        yield PackedBlock(first, expected - 1, len(records), b"".join(records))


def unpack_block(block: PackedBlock) -> tuple[list[Run], list[Damage]]:
    """The records of a block, every checksum verified.

    Returns:
        Runs of sound records, and what is damaged.
    """
    first, last, count, blob = block
    if count != last - first + 1:
        return [], [Damage(first, last, f"block {first}-{last} counts {count} messages")]
    records = []
    offset = 0
    view = memoryview(blob)
    # As `split` and `verify` would do it, in one loop: this is on the path of every message that comes from disk.
    try:
        for _ in range(count):
            size, crc = SIZE_CRC.unpack_from(blob, offset)
            end = offset + size
            if size < HEADERS_AT or crc32(view[offset + 8 : end]) != crc:
                return _sort_out(block)
            records.append(blob[offset:end])
            offset = end
    except struct.error:
        return _sort_out(block)
    return ([(first, records)], []) if offset == len(blob) else _sort_out(block)


def _sort_out(block: PackedBlock) -> tuple[list[Run], list[Damage]]:
    runs: list[Run] = []
    bad: list[Damage] = []
    offset = 0
    for seq in range(block.first, block.last + 1):
        end = _end_of(block.records, offset)
        record = block.records[offset:end]
        if not verify(record):
            bad.append(Damage(seq, seq, "its checksum is wrong"))
            end = _next_record(block.records, offset, block.last - seq)
        elif runs and runs[-1][0] + len(runs[-1][1]) == seq:
            runs[-1][1].append(record)
        else:
            runs.append((seq, [record]))
        offset = end
    return runs, bad


def _next_record(blob: bytes, damaged: int, left: int) -> int:
    """Where the `left` last records of a block begin, behind a damaged one; the end of the block if nowhere."""
    if left:
        end = _end_of(blob, damaged)
        if end >= damaged + HEADERS_AT and _adds_up(blob, end, left):
            return end  # the size was not what is damaged
        for at in range(damaged + HEADERS_AT, len(blob) - left * HEADERS_AT + 1):
            if _adds_up(blob, at, left) and verify(blob[at : _end_of(blob, at)]):
                return at
    return len(blob)


def _adds_up(blob: bytes, offset: int, count: int) -> bool:
    """True when the sizes of `count` records from `offset` on lead to the end of the block."""
    for _ in range(count):
        end = _end_of(blob, offset)
        if end < offset + HEADERS_AT or end > len(blob):
            return False
        offset = end
    return offset == len(blob)


def _end_of(blob: bytes, offset: int) -> int:
    return offset + int.from_bytes(blob[offset : offset + 4], "little")
