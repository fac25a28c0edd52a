"""A filter of 64 sets: it never denies what it holds, and seldom claims what it does not."""

from __future__ import annotations

import pytest

from segue.broker.deduplication.entries import digest_of, pack_seq
from segue.broker.deduplication.sliced_filter import SETS_MAX, SlicedFilter

IDS = 256


def body(which: int) -> bytes:
    """The entries of one set."""
    return b"".join(digest_of(f"{which}-{number}") + pack_seq(number) for number in range(IDS))


@pytest.fixture(scope="module")
def full() -> SlicedFilter:
    """One whose sets are all full."""
    full = SlicedFilter(IDS)
    for which in range(SETS_MAX):
        full.add(which, body(which), 0)
    return full


def test_every_id_is_found_in_its_set(full: SlicedFilter) -> None:
    for which in range(SETS_MAX):
        for number in range(0, IDS, 16):
            assert full.candidates(digest_of(f"{which}-{number}")) >> which & 1


def test_hardly_any_other_is_claimed(full: SlicedFilter) -> None:
    """One in thirty thousand, over all sets; the digests are the same in every run."""
    assert sum(full.candidates(digest_of(f"other {number}")) != 0 for number in range(10_000)) < 5


def test_what_stands_before_the_start_is_not_added() -> None:
    one = SlicedFilter(IDS)
    one.add(3, body(3), 10 * 24)
    found = [number for number in range(20) if one.candidates(digest_of(f"3-{number}"))]
    assert found == list(range(10, 20))


def test_it_takes_eight_bytes_an_id(full: SlicedFilter) -> None:
    assert full.memory_bytes == 8 * IDS * SETS_MAX


@pytest.mark.parametrize("ids_max", [100, 65_536])
def test_a_size_that_the_slices_can_not_name_is_a_mistake(ids_max: int) -> None:
    with pytest.raises(AssertionError):
        SlicedFilter(ids_max)
