"""Values of flags: what is taken, and what is refused with its range."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from segue.broker.cli.arguments import amount, whole


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
