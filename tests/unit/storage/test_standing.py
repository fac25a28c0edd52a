"""Tests of segue.storage.standing: what is written of what is owed is read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.storage.entries import Return, decode_entries, return_entry
from segue.storage.standing import CONDEMNED, pairs_of, standings_of

STANDINGS = st.dictionaries(
    st.integers(1, (1 << 64) - 1),
    st.one_of(st.integers(0, 300), st.integers(CONDEMNED, (1 << 64) - 1), st.integers(1 << 64, (1 << 128) - 1)),
)


@given(standings=STANDINGS)
def test_what_is_written_is_read_back_in_its_order(standings: dict[int, int]) -> None:
    (entry,) = decode_entries(return_entry(7, standings.items()), 1)
    assert entry == Return(7, list(standings.items()))


def test_only_a_large_standing_takes_two_pairs() -> None:
    """So what was written before there were large ones says what it said."""
    pairs = [(1, 0), (2, 3), (3, CONDEMNED + 1), (4, (1 << 64) - 1)]
    assert list(pairs_of(pairs)) == pairs
    assert standings_of(pairs) == dict(pairs)
    assert list(pairs_of([(5, 1 << 64), (6, (9 << 64) + 8)])) == [(5, 0), (5, 1), (6, 8), (6, 9)]
