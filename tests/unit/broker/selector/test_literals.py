"""How numbers, strings and names are written."""

from __future__ import annotations

import pytest

from segue.broker.selector.errors import Fault
from segue.broker.selector.literals import is_identifier, number_of_literal, unquoted
from segue.broker.selector.parser import parse
from segue.broker.selector.tree import Comparison, Literal


def value_in(text: str) -> object:
    tree = parse(f"a = {text}")
    assert isinstance(tree, Comparison)
    assert isinstance(tree.right, Literal)
    return tree.right.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[
            ("57", 57),
            ("-957", -957),
            ("+62", 62),
            ("0", 0),
            ("-0", 0),
            ("57L", 57),
            ("57l", 57),
            ("1_000_000", 1000000),
        ],
        *[("0x1F", 31), ("0Xff", 255), ("0xfL", 15), ("0xD", 13), ("0x7fff_ffff_ffff_ffff", 2**63 - 1), ("-0x10", -16)],
        *[("017", 15), ("00", 0), ("0_7", 7), ("0b101", 5), ("0B1_1L", 3), ("000000000000000000000000000000001", 1)],
        *[("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)), ("- 9223372036854775808L", -(2**63))],
    ],
)
def test_exact_numbers_are_written_as_in_java(text: str, value: int) -> None:
    assert value_in(text) == value
    assert type(value_in(text)) is int


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[
            ("7E3", 7000.0),
            ("-57.9E2", -5790.0),
            ("7.", 7.0),
            ("-95.7", -95.7),
            ("+6.2", 6.2),
            (".5", 0.5),
            ("1e-3", 0.001),
        ],
        *[("1f", 1.0), ("1.5F", 1.5), ("2d", 2.0), ("2.D", 2.0), ("09.5", 9.5), ("1_0.2_5", 10.25), ("1e1_0", 1e10)],
        *[("0x1p4", 16.0), ("0x1.8P1f", 3.0), ("0x.8p0", 0.5), ("1e-999", 0.0), ("1.e2", 100.0), ("08e1", 80.0)],
    ],
)
def test_approximate_numbers_are_written_as_in_java(text: str, value: float) -> None:
    assert value_in(text) == value
    assert type(value_in(text)) is float


@pytest.mark.parametrize(
    "text",
    [
        *["9223372036854775808", "-9223372036854775809", "9" * 5000, "0x8000000000000001", "0xffffffffffffffff"],
        *["1e999", "0x1p99999", "- -9223372036854775808", "+9223372036854775808", "0b1" + "0" * 64],
    ],
)
def test_a_number_that_does_not_fit_into_64_bits_is_refused(text: str) -> None:
    with pytest.raises(Fault) as caught:
        value_in(text)
    assert "64 bits" in caught.value.expected


@pytest.mark.parametrize(("text", "base"), [("08", 8), ("0_9", 8), ("0b2", 2)])
def test_a_digit_that_the_base_has_not_is_refused(text: str, base: int) -> None:
    with pytest.raises(Fault) as caught:
        number_of_literal(text, 3)
    assert (caught.value.at, caught.value.expected) == (3, f"digits of base {base}")


@pytest.mark.parametrize("text", ["1_", "1__", "0x", "0xg", "1e", "1.2.3", "0b", "1ll", "1_.5"])
def test_what_only_begins_like_a_number_is_refused(text: str) -> None:
    with pytest.raises(Fault):
        value_in(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("'literal'", "literal"), ("'literal''s'", "literal's"), ("''", ""), ("''''", "'"), ("'\"\n\\n'", '"\n\\n')],
)
def test_a_quote_in_a_string_is_doubled(text: str, value: str) -> None:
    assert value_in(text) == value


def test_a_quote_in_a_name_is_doubled_too() -> None:
    assert unquoted('"a""b\'\'"') == "a\"b''"


@pytest.mark.parametrize("name", ["a", "_", "$", "€uro", "a1", "é", "变量", "a\u0301", "\u2167", "a\u200d", "Not1"])
def test_identifiers_are_those_of_java(name: str) -> None:
    assert is_identifier(name)


@pytest.mark.parametrize(
    "name", ["", "1a", "a-b", "a.b", "a b", "\u0301a", "²", "a²", "a\u00a0", "a\u2028", "not", "In", "😀"]
)
def test_what_is_no_identifier_of_java_needs_quotes(name: str) -> None:
    assert not is_identifier(name)
