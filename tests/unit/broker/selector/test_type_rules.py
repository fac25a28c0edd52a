"""What is refused because of its types before there is any message."""

from __future__ import annotations

import pytest

from segue.broker.selector import SelectorError, compile_selector


def refusal_of(text: str) -> SelectorError:
    with pytest.raises(SelectorError) as caught:
        compile_selector(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("'eu'", 1, "the string 'eu'"),
        ("5", 1, "the number 5"),
        ("a + 1", 1, "a number"),
        ("-a", 1, "a number"),
        ("a = 1 AND 'eu'", 11, "the string 'eu'"),
        ("5 OR a = 1", 1, "the number 5"),
        ("NOT 'eu'", 5, "the string 'eu'"),
        ("NOT (a * 2)", 6, "a number"),
    ],
)
def test_a_string_or_a_number_is_no_condition(text: str, column: int, found: str) -> None:
    error = refusal_of(text)
    assert (error.column, error.found, error.expected) == (column, found, "a condition")


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("'5' + a > 1", 1, "the string '5'"),
        ("a * TRUE > 1", 5, "TRUE"),
        ("-'5' < a", 2, "the string '5'"),
        ("-TRUE < a", 2, "TRUE"),
        ("a + (b = 1) > 1", 6, "a condition"),
        ("a > -(NOT b)", 7, "a condition"),
        ("a BETWEEN '1' AND 5", 11, "the string '1'"),
        ("a BETWEEN 1 AND FALSE", 17, "FALSE"),
        ("'x' BETWEEN 1 AND 2", 1, "the string 'x'"),
    ],
)
def test_arithmetic_and_between_are_for_numbers(text: str, column: int, found: str) -> None:
    error = refusal_of(text)
    assert (error.column, error.found, error.expected) == (column, found, "a number or a header")


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("a > 'eu'", 5, "the string 'eu'"),
        ("'eu' <= a", 1, "the string 'eu'"),
        ("a < TRUE", 5, "TRUE"),
        ("(a = 1) >= b", 2, "a condition"),
    ],
)
def test_strings_and_booleans_are_not_put_in_order(text: str, column: int, found: str) -> None:
    error = refusal_of(text)
    assert (error.column, error.found) == (column, found)
    assert "for numbers only" in error.expected


@pytest.mark.parametrize(
    ("text", "word"),
    [("'a' IN ('a')", "IN"), ("a + 1 LIKE '1'", "LIKE"), ("5 IS NULL", "IS"), ("(a = 1) NOT IN ('x')", "IN")],
)
def test_in_like_and_is_ask_for_a_header(text: str, word: str) -> None:
    assert refusal_of(text).expected == f"the name of a header in front of {word}"


def test_parentheses_around_a_header_do_no_harm() -> None:
    assert compile_selector("(a) IN ('x') AND ((b)) IS NOT NULL") == compile_selector("a IN ('x') AND b IS NOT NULL")


@pytest.mark.parametrize("text", ["content-type = 'text/plain'", "'text/plain' <> content-type"])
def test_a_name_with_hyphens_beside_a_string_is_refused_with_advice(text: str) -> None:
    error = refusal_of(text)
    assert error.found == "the subtraction 'content-type' beside a string"
    assert "in double quotes" in error.expected
    assert "'x-my-type'" in refusal_of("x-my-type = 'a'").found


@pytest.mark.parametrize("text", ["a - b = 'x'", "a-1 = 'x'", "a-b > 1", "a-b = c", "a+b = 'x'"])
def test_what_is_written_like_a_subtraction_is_one(text: str) -> None:
    assert not compile_selector(text).matches({"a": "x", "b": "1", "c": "2", "a-b": "x"})
