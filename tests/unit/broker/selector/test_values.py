"""Headers read as numbers and booleans, and arithmetic at its edges."""

from __future__ import annotations

import math

import pytest

from segue.broker.selector.values import (
    ARITHMETIC,
    COMPARISONS,
    EXACT_MAX,
    EXACT_MIN,
    UNLIKE,
    boolean_of,
    negative_of,
    number_of,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("0", 0), ("007", 7), ("-5", -5), ("+5", 5), ("999999999999999999", 10**18 - 1)],
        *[("9223372036854775807", EXACT_MAX), ("-9223372036854775808", EXACT_MIN), ("+9223372036854775807", EXACT_MAX)],
    ],
)
def test_digits_alone_are_an_exact_number(text: str, number: int) -> None:
    assert number_of(text) == number
    assert type(number_of(text)) is int


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("1.5", 1.5), ("5.", 5.0), (".5", 0.5), ("-1e3", -1000.0), ("1E-2", 0.01), ("1e-999", 0.0), ("+.5e+1", 5.0)],
        *[("9223372036854775808", 2.0**63), ("1" * 300, float("1" * 300)), ("0" * 30 + "7", 7.0)],
    ],
)
def test_all_other_numbers_are_approximate(text: str, number: float) -> None:
    assert number_of(text) == number
    assert type(number_of(text)) is float


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "1 ", " 1", "1\n", "1_000", "1,5", "0x10", "1L", "1f", "1e", "e1", ".", "-", "+-1", "--1", "1.2.3"],
        *["NaN", "nan", "inf", "Infinity", "1e999", "9" * 400, "٣", "²", "1٣", "\uff11", "true"],
    ],
)
def test_what_is_not_a_decimal_number_is_none(text: str) -> None:
    assert math.isnan(number_of(text))


def test_true_and_false_are_booleans_in_any_capitals_and_nothing_else_is() -> None:
    assert [boolean_of(text) for text in ("true", "TRUE", "True", "false", "FALSE")] == [1, 1, 1, 0, 0]
    assert all(math.isnan(boolean_of(text)) for text in ("", "1", "0", "yes", "t", " true"))


@pytest.mark.parametrize("operator", COMPARISONS)
def test_every_comparison_with_another_type_is_false(operator: str) -> None:
    compare = COMPARISONS[operator]
    assert not any(compare(*pair) for pair in ((UNLIKE, 1), (1.5, UNLIKE), (UNLIKE, UNLIKE)))


@pytest.mark.parametrize("sign", ARITHMETIC)
def test_arithmetic_with_another_type_is_unknown(sign: str) -> None:
    reckon = ARITHMETIC[sign]
    assert [reckon(*pair) for pair in ((UNLIKE, 1), (2.5, UNLIKE), (UNLIKE, 0), (1, UNLIKE))] == [None] * 4


@pytest.mark.parametrize(
    ("left", "sign", "right", "result"),
    [
        *[(7, "/", 2, 3), (-7, "/", 2, -3), (7, "/", -2, -3), (-7, "/", -2, 3), (7, "/", 2.0, 3.5), (1, "/", 3, 0)],
        *[(7, "%", 3, 1), (-7, "%", 3, -1), (7, "%", -3, 1), (-7.5, "%", 2, -1.5), (EXACT_MAX, "/", 1, EXACT_MAX)],
        *[(1, "/", 0, None), (1.0, "/", 0, None), (1, "%", 0, None), (1.0, "%", 0.0, None), (0, "/", 0, None)],
        *[(1e308, "*", 10, None), (1e308, "+", 1e308, None), (1e308, "-", -1e308, None)],
    ],
)
def test_arithmetic_follows_java_where_the_result_is_finite(
    left: float, sign: str, right: float, result: float | None
) -> None:
    found = ARITHMETIC[sign](left, right)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("left", "sign", "right"),
    [(EXACT_MAX, "+", 1), (EXACT_MIN, "-", 1), (EXACT_MAX, "*", EXACT_MAX), (EXACT_MIN, "/", -1)],
)
def test_an_exact_number_that_leaves_64_bits_becomes_approximate(left: int, sign: str, right: int) -> None:
    assert type(ARITHMETIC[sign](left, right)) is float


def test_the_sign_of_what_is_no_number_is_unknown() -> None:
    assert [negative_of(number) for number in (5, 1.5, UNLIKE, EXACT_MAX)] == [-5, -1.5, None, -EXACT_MAX]
    assert type(negative_of(EXACT_MIN)) is float
