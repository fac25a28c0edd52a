"""What reads the journal and the blocks takes any bytes, and raises nothing but what it says."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from segue.storage.block import PackedBlock, unpack_block
from segue.storage.entries import decode_entries, enqueue_entry, parse_batch_header, settle_entry
from segue.storage.errors import RecordDamagedError
from segue.storage.record import encode, prefix, split, verify

RECORDS = [encode(*prefix(1, b"\n"), bytes([65 + n]) * n) for n in range(5)]
BLOB = b"".join(RECORDS)


@given(data=st.binary(max_size=300))
def test_a_header_is_found_or_not(data: bytes) -> None:
    header = parse_batch_header(data)
    assert header is None or header.size >= 40


@given(data=st.binary(max_size=300), count=st.integers(1, 9))
def test_records_are_split_or_refused(data: bytes, count: int) -> None:
    with contextlib.suppress(RecordDamagedError):
        assert len(list(split(data, count))) == count


@given(data=st.binary(max_size=400), count=st.integers(1, 9))
def test_a_block_of_any_bytes_accounts_for_each_of_its_numbers(data: bytes, count: int) -> None:
    runs, damage = unpack_block(PackedBlock(1, count, count, data))
    numbers = [first + n for first, records in runs for n in range(len(records))]
    numbers += [n for first, last, _ in damage for n in range(first, last + 1)]
    assert sorted(numbers) == list(range(1, count + 1))
    assert all(verify(data) for _, records in runs for data in records)


@given(at=st.integers(0, len(BLOB) - 1), octet=st.integers(1, 255))
def test_a_changed_byte_never_gives_another_record(at: int, octet: int) -> None:
    changed = bytearray(BLOB)
    changed[at] ^= octet
    runs, _ = unpack_block(PackedBlock(1, 5, 5, bytes(changed)))
    assert all(RECORDS[first + n - 1] == data for first, records in runs for n, data in enumerate(records))


@given(
    records=st.lists(st.sampled_from(RECORDS), min_size=1), targets=st.lists(st.tuples(st.integers(0, 9), st.just(1)))
)
def test_entries_come_back_as_they_were_written(records: list[bytes], targets: list[tuple[int, int]]) -> None:
    data = enqueue_entry(targets, records) + settle_entry(7, [(1, 3), (5, 5)])
    enqueue, settle = decode_entries(data, 2)
    assert (tuple(targets), records) == enqueue
    assert settle == (7, [(1, 3), (5, 5)])
