"""Tests of segue.storage.block."""

from __future__ import annotations

import pytest

from segue.storage.block import BLOCK_BYTES_MAX, BLOCK_MESSAGES_MAX, PackedBlock, blocks_of, unpack_block
from segue.storage.record import encode, prefix


def record(number: int, size: int = 20) -> bytes:
    return encode(*prefix(1, b"\n"), f"{number}".encode().ljust(size, b"."))


def packed(count: int) -> tuple[list[bytes], PackedBlock]:
    records = [record(number) for number in range(count)]
    (block,) = blocks_of(enumerate(records, 10))
    return records, block


def test_what_is_packed_is_unpacked() -> None:
    records, block = packed(5)
    assert (block.first, block.last, block.messages) == (10, 14, 5)
    assert unpack_block(block) == ([(10, records)], [])


def test_a_gap_in_the_numbers_begins_a_new_block() -> None:
    blocks = list(blocks_of([(1, record(1)), (2, record(2)), (4, record(4))]))
    assert [(block.first, block.last) for block in blocks] == [(1, 2), (4, 4)]


def test_a_block_has_a_limit_in_messages_and_one_in_bytes() -> None:
    small = list(blocks_of((number, record(number)) for number in range(1, 101)))
    assert [block.messages for block in small] == [BLOCK_MESSAGES_MAX, 100 - BLOCK_MESSAGES_MAX]
    large = list(blocks_of((number, record(number, 20_000)) for number in range(1, 8)))
    assert [len(block.records) <= BLOCK_BYTES_MAX for block in large] == [True] * 3


def test_a_message_larger_than_a_block_has_one_of_its_own() -> None:
    blocks = list(blocks_of([(1, record(1)), (2, record(2, BLOCK_BYTES_MAX)), (3, record(3))]))
    assert [block.messages for block in blocks] == [1, 1, 1]


@pytest.mark.parametrize("damaged", range(6))
@pytest.mark.parametrize("byte", [0, 1, 3, 5, 9, 40])
def test_a_damaged_record_costs_itself_alone(damaged: int, byte: int) -> None:
    records, block = packed(6)
    at = sum(map(len, records[:damaged])) + byte
    blob = bytearray(block.records)
    blob[at] ^= 0x10
    runs, damage = unpack_block(block._replace(records=bytes(blob)))
    found = {seq: data for first, run in runs for seq, data in enumerate(run, first)}
    assert found == {10 + n: data for n, data in enumerate(records) if n != damaged}
    assert [(each.first, each.last) for each in damage] == [(10 + damaged, 10 + damaged)]


def test_a_block_that_is_cut_loses_its_end_and_names_it() -> None:
    records, block = packed(4)
    runs, damage = unpack_block(block._replace(records=block.records[:-1]))
    assert runs == [(10, records[:3])]
    assert [(each.first, each.last) for each in damage] == [(13, 13)]


def test_a_block_that_miscounts_is_damaged_as_a_whole() -> None:
    _, block = packed(4)
    runs, damage = unpack_block(block._replace(messages=3))
    assert (runs, [(each.first, each.last) for each in damage]) == ([], [(10, 13)])
