"""Tests of segue.storage.gaps: against a set of numbers."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from segue.storage.gaps import _DROPPED_MIN, Gaps

small = st.integers(1, 60)
ranges = st.lists(st.tuples(small, st.integers(0, 9)).map(lambda pair: (pair[0], sum(pair))), max_size=20)
steps = st.lists(st.one_of(st.tuples(small, st.integers(0, 9)), st.tuples(small, st.just(-1))), max_size=30)


def numbers(gaps: Gaps) -> set[int]:
    return {seq for first, last in gaps for seq in range(first, last + 1)}


@given(steps=steps)
def test_ranges_are_put_in_and_dropped_from_below(steps: list[tuple[int, int]]) -> None:
    gaps, model = Gaps(), set[int]()
    for seq, more in steps:
        if more < 0:
            gaps.drop_below(seq)
            model = {number for number in model if number >= seq}
        else:
            gaps.add(seq, seq + more)
            model.update(range(seq, seq + more + 1))
        assert numbers(gaps) == model
        assert gaps.messages == len(model)
        assert gaps == gaps.copy() == Gaps(gaps)
        again = Gaps.unpack(gaps.pack())
        assert (again, again.messages) == (gaps, gaps.messages)
        assert len(gaps) == sum(1 for number in model if number - 1 not in model), "no two of them touch"


@given(ranges=ranges, seq=small, more=st.integers(-1, 30), dropped=small)
def test_questions_are_answered_as_a_set_would(
    ranges: list[tuple[int, int]], seq: int, more: int, dropped: int
) -> None:
    gaps = Gaps(ranges)
    gaps.drop_below(dropped)
    model = numbers(gaps)
    last = seq + more
    assert (seq in gaps) is (seq in model)
    assert gaps.end(seq) == next(number for number in range(seq, 200) if number not in model)
    ahead = [number for number in sorted(model) if number >= seq]
    assert gaps.ahead(seq) == ahead[0] if ahead else gaps.ahead(seq) > 1 << 60
    assert gaps.within(seq, last) == len(model & set(range(seq, last + 1)))
    between = [number for first, end in gaps.between(seq, last) for number in range(first, end + 1)]
    assert between == [number for number in range(seq, last + 1) if number not in model]
    assert gaps.outside(seq, last + 1, 9) == between[:9]


def test_ranges_are_packed_as_pairs_in_little_endian() -> None:
    assert Gaps([(1, 2), (5, 1 << 40)]).pack() == struct.pack("<4Q", 1, 2, 5, 1 << 40)


def test_what_was_passed_does_not_stay_in_memory() -> None:
    gaps = Gaps((2 * number, 2 * number) for number in range(1, 4 * _DROPPED_MIN + 1))
    for seq in range(6 * _DROPPED_MIN):
        gaps.drop_below(seq)
        assert len(gaps._firsts) <= max(2 * len(gaps), len(gaps) + _DROPPED_MIN)
    assert gaps.ahead(0) == 6 * _DROPPED_MIN
    assert gaps.messages == len(gaps) == _DROPPED_MIN + 1
