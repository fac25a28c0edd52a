"""Ranges of numbers are sets of numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from segue.storage.tools.ranges import Range, Ranges, add, normal, size, within, without

a_range = st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
some_ranges = st.lists(a_range, max_size=8)


def numbers(ranges: list[Range]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


def is_normal(ranges: Ranges) -> bool:
    return all(first <= last for first, last in ranges) and all(
        before[1] + 1 < after[0] for before, after in pairwise(ranges)
    )


@given(some_ranges)
def test_normal_ranges_have_the_same_numbers_and_neither_overlap_nor_touch(ranges: list[Range]) -> None:
    found = normal(ranges)
    assert numbers(found) == numbers(ranges)
    assert is_normal(found)
    assert size(found) == len(numbers(ranges))


@given(some_ranges, some_ranges)
def test_a_difference_is_that_of_sets(some: list[Range], others: list[Range]) -> None:
    left, right = normal(some), normal(others)
    assert numbers(without(left, right)) == numbers(left) - numbers(right)
    assert is_normal(without(left, right))


@given(some_ranges, a_range)
def test_what_lies_within_a_range_is_cut_to_it(ranges: list[Range], part: Range) -> None:
    found = within(normal(ranges), *part)
    assert numbers(found) == numbers(ranges) & numbers([part])


@given(st.lists(st.integers(1, 60), unique=True).map(sorted))
def test_rising_numbers_are_added_one_by_one(rising: list[int]) -> None:
    ranges: Ranges = []
    for number in rising:
        add(ranges, number, number)
    assert ranges == normal((number, number) for number in rising)


def test_the_whole_range_of_sequence_numbers_costs_nothing() -> None:
    everything = [(1, 1 << 62)]
    assert without(everything, [(5, 9)]) == [(1, 4), (10, 1 << 62)]
    assert size(within(everything, 3, 1 << 40)) == (1 << 40) - 2
