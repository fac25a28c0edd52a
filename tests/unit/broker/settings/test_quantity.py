"""Sizes and durations are read exactly, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.settings.quantity import (
    GIB,
    KIB,
    MIB,
    parse_milliseconds,
    parse_seconds,
    parse_size,
    show_seconds,
    show_size,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("1048576", MIB),
        ("12 B", 12),
        ("64KiB", 64 * KIB),
        ("64 MiB", 64 * MIB),
        (" 1.5 GiB ", 3 * GIB // 2),
        ("2 TiB", 2048 * GIB),
    ],
)
def test_a_size_is_a_number_with_a_binary_unit(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize(
    "text", ["", "MiB", "-1", "+1", "1e6", "1,5 MiB", "1 2", "0x10", "1.", ".5", "\u0661", "9" * 19]
)
def test_what_is_not_a_number_with_a_unit_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a number with a unit"):
        parse_size(text)


@pytest.mark.parametrize("text", ["64 MB", "64M", "64 mib", "64 Kib", "1 s"])
def test_a_unit_that_means_two_things_is_refused_with_the_list_of_those_that_mean_one(text: str) -> None:
    with pytest.raises(ValueError, match="none of B, KiB, MiB, GiB, TiB"):
        parse_size(text)


def test_half_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="not a whole number of bytes"):
        parse_size("0.3 KiB")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        ("30 s", 30.0),
        ("500 ms", 0.5),
        ("0.1 s", 0.1),
        ("2 min", 120.0),
        ("1h", 3600.0),
        ("1 d", 86400.0),
    ],
)
def test_a_duration_is_a_number_with_a_unit_of_time(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["30 sec", "1 m", "2 weeks", "5 S"])
def test_an_unknown_unit_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="none of ms, s, min, h, d"):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1000, "1000 B"), (KIB, "1 KiB"), (1536 * KIB, "1536 KiB"), (MIB, "1 MiB"), (-5, "-5 B")],
)
def test_a_size_is_written_with_the_largest_unit_that_divides_it(count: int, text: str) -> None:
    assert show_size(count) == text


@given(st.integers(min_value=0, max_value=2**50))
def test_what_is_written_as_a_size_is_read_as_the_same_size(count: int) -> None:
    assert parse_size(show_size(count)) == count


@given(st.integers(min_value=0, max_value=10**9))
def test_what_is_written_as_seconds_is_read_as_the_same_duration(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert float(show_seconds(seconds)) == seconds


@given(st.text(max_size=40))
def test_any_text_is_a_size_or_a_value_error(text: str) -> None:
    try:
        outcome = str(parse_size(text))
    except ValueError as fault:
        outcome = str(fault)
    assert outcome.isdecimal() or outcome.startswith(("not ", "of a unit"))


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("250", 250), ("250 ms", 250), ("1.5 s", 1500), ("2 min", 120_000), ("7d", 604_800_000)]
)
def test_a_duration_may_be_read_in_milliseconds(text: str, milliseconds: int) -> None:
    assert parse_milliseconds(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "problem"), [("0.5", "not a whole number of milliseconds"), ("1 w", "none of ms"), ("", "not a number")]
)
def test_what_is_no_whole_number_of_milliseconds_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_milliseconds(text)
