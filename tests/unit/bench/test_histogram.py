"""Percentiles within one per cent of the exact ones."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.bench.histogram import Histogram

FRACTIONS = (0.5, 0.9, 0.99, 0.999, 1.0)


def exact(values: list[int], fraction: float) -> float:
    """The value at the rank that `Histogram.percentile` means, in milliseconds."""
    return sorted(values)[max(math.ceil(fraction * len(values)), 1) - 1] / 1e6


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=200))
def test_percentiles_are_within_half_a_per_cent_of_the_exact_ones(values: list[int]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    for fraction in FRACTIONS:
        assert histogram.percentile(fraction) == pytest.approx(exact(values, fraction), rel=0.005, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(1, 50)), min_size=1, max_size=50))
def test_a_count_is_the_same_as_recording_so_many_times(pairs: list[tuple[int, int]]) -> None:
    at_once, one_by_one = Histogram(), Histogram()
    at_once.record_all(pairs)
    for value, count in pairs:
        for _ in range(count):
            one_by_one.record(value)
    assert at_once.percentiles() == one_by_one.percentiles()


def test_mean_and_maximum_are_exact() -> None:
    histogram = Histogram()
    for milliseconds in (1, 2, 1003):
        histogram.record(milliseconds * 1_000_000)
    found = histogram.percentiles()
    assert found is not None
    assert (found.count, found.mean, found.max) == (3, 335.3333, 1003.0)


def test_no_percentile_exceeds_the_maximum() -> None:
    histogram = Histogram()
    histogram.record(1_000_003)
    assert histogram.percentile(0.999) <= 1.000003


def test_nothing_recorded_has_no_percentiles() -> None:
    assert Histogram().percentiles() is None


def test_a_negative_duration_counts_as_none() -> None:
    histogram = Histogram()
    histogram.record(-5)
    assert histogram.percentile(0.5) == 0.0
