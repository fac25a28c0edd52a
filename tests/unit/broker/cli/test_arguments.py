"""Values of flags: what is taken, and what is refused with its range."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from segue.broker.cli.arguments import amount, milliseconds, moment, whole


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1000000", 10**6), ("1_000_000", 10**6), ("1,000,000", 10**6), ("9" * 18, 10**18 - 1)],
)
def test_a_whole_number_may_have_its_thousands_apart(text: str, value: int) -> None:
    assert whole(1)(text) == value


@pytest.mark.parametrize("text", ["", "0", "-1", "+1", "1.0", "1e3", "x", " 1", "\u0663", "9" * 19, "9" * 5000])
def test_what_is_no_whole_number_in_range_is_refused_with_the_range(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a whole number from 1 to 999,999,999,999,999,999") as caught:
        whole(1)(text)
    assert len(str(caught.value)) < 200


def test_a_whole_number_has_the_bounds_that_are_given() -> None:
    read = whole(2, 3)
    assert [read("2"), read("3")] == [2, 3]
    with pytest.raises(ArgumentTypeError, match="from 2 to 3"):
        read("4")


@pytest.mark.parametrize(("text", "value"), [("30", 30.0), ("0.2", 0.2), ("1e3", 1000.0)])
def test_an_amount_may_be_a_fraction(text: str, value: float) -> None:
    assert amount("seconds")(text) == value


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1e99", "soon"])
def test_what_is_no_amount_is_refused_with_its_unit_and_bounds(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a number of seconds, more than 0 and up to 1,000,000"):
        amount("seconds")(text)


def test_an_amount_may_be_nothing_where_that_means_something() -> None:
    assert amount("seconds", zero=True)("0") == 0
    with pytest.raises(ArgumentTypeError, match="from 0 up to"):
        amount("seconds", zero=True)("-1")


@pytest.mark.parametrize(
    ("text", "value"), [("1500", 1500), ("90 s", 90_000), ("0.5h", 1_800_000), ("7 d", 604_800_000)]
)
def test_a_length_of_time_may_have_a_unit(text: str, value: int) -> None:
    assert milliseconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "-1", "3 weeks", "9" * 19])
def test_what_is_no_length_of_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write 1500, '90 s' or '7 d'"):
        milliseconds(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1700000000000", 1_700_000_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
        ("1970-01-02", 86_400_000),
    ],
)
def test_a_time_is_milliseconds_or_a_date_in_utc_unless_it_says_otherwise(text: str, value: int) -> None:
    assert moment(text) == value


@pytest.mark.parametrize("text", ["", "soon", "18:00", "2023-02-30", "-1", "9" * 19])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write '2030-12-24 18:00'"):
        moment(text)
