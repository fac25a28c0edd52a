"""What is true, false and unknown: the specification's examples and its truth tables."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from segue.broker.selector import compile_selector

CAR = {"type": "car", "color": "blue", "weight": "3000"}
# Conditions of known truth, to be put together.
TRUE, FALSE, UNKNOWN = "yes = 'y'", "yes = 'n'", "missing = 'y'"
TRUTH = {"T": TRUE, "F": FALSE, "U": UNKNOWN}


def is_selected(selector: str, **headers: str) -> bool:
    return compile_selector(selector).matches({"yes": "y", **headers})


def truth_of(selector: str, headers: Mapping[str, str]) -> str:
    """T, F or U: neither the condition nor its opposite is true."""
    if compile_selector(selector).matches(headers):
        return "T"
    return "F" if compile_selector(f"NOT ({selector})").matches(headers) else "U"


@pytest.mark.parametrize(
    ("selector", "headers", "truth"),
    [
        ("JMSType = 'car' AND color = 'blue' AND weight > 2500", CAR, "T"),
        ("JMSType = 'car' AND color = 'blue' AND weight > 2500", {**CAR, "weight": "2500"}, "F"),
        ("age BETWEEN 15 AND 19", {"age": "15"}, "T"),
        ("age BETWEEN 15 AND 19", {"age": "19"}, "T"),
        ("age BETWEEN 15 AND 19", {"age": "14.9"}, "F"),
        ("age NOT BETWEEN 15 AND 19", {"age": "20"}, "T"),
        ("age NOT BETWEEN 15 AND 19", {"age": "15"}, "F"),
        ("age NOT BETWEEN 15 AND 19", {}, "U"),
        ("Country IN ('UK', 'US', 'France')", {"Country": "UK"}, "T"),
        ("Country IN ('UK', 'US', 'France')", {"Country": "Peru"}, "F"),
        ("Country IN ('UK', 'US', 'France')", {}, "U"),
        ("Country NOT IN ('UK', 'US', 'France')", {"Country": "Peru"}, "T"),
        ("Country NOT IN ('UK', 'US', 'France')", {"Country": "UK"}, "F"),
        ("Country NOT IN ('UK', 'US', 'France')", {}, "U"),
        ("phone LIKE '12%3'", {"phone": "123"}, "T"),
        ("phone LIKE '12%3'", {"phone": "12993"}, "T"),
        ("phone LIKE '12%3'", {"phone": "1234"}, "F"),
        ("word LIKE 'l_se'", {"word": "lose"}, "T"),
        ("word LIKE 'l_se'", {"word": "loose"}, "F"),
        ("underscored LIKE '\\_%' ESCAPE '\\'", {"underscored": "_foo"}, "T"),
        ("underscored LIKE '\\_%' ESCAPE '\\'", {"underscored": "bar"}, "F"),
        ("phone NOT LIKE '12%3'", {"phone": "12993"}, "F"),
        ("phone NOT LIKE '12%3'", {"phone": "1234"}, "T"),
        ("phone LIKE '%'", {}, "U"),
        ("prop_name IS NULL", {}, "T"),
        ("prop_name IS NULL", {"prop_name": ""}, "F"),
        ("prop_name IS NOT NULL", {"prop_name": ""}, "T"),
        ("prop_name IS NOT NULL", {}, "F"),
    ],
)
def test_the_examples_of_the_specification_hold(selector: str, headers: dict[str, str], truth: str) -> None:
    assert truth_of(selector, headers) == truth


@pytest.mark.parametrize("row", ["TTT", "TFF", "TUU", "FTF", "FFF", "FUF", "UTU", "UFF", "UUU"])
def test_and_follows_the_truth_table(row: str) -> None:
    left, right, result = list(row)
    assert truth_of(f"{TRUTH[left]} AND {TRUTH[right]}", {"yes": "y"}) == result


@pytest.mark.parametrize("row", ["TTT", "TFT", "TUT", "FTT", "FFF", "FUU", "UTT", "UFU", "UUU"])
def test_or_follows_the_truth_table(row: str) -> None:
    left, right, result = list(row)
    assert truth_of(f"{TRUTH[left]} OR {TRUTH[right]}", {"yes": "y"}) == result


@pytest.mark.parametrize("row", ["TF", "FT", "UU"])
def test_not_follows_the_truth_table(row: str) -> None:
    operand, result = list(row)
    assert truth_of(f"NOT {TRUTH[operand]}", {"yes": "y"}) == result


@pytest.mark.parametrize("joined", ["AND", "OR"])
@pytest.mark.parametrize("values", ["TTT", "TTF", "TFU", "FFU", "FFF", "UUT", "UUU"])
def test_long_chains_give_what_pairs_in_parentheses_give(joined: str, values: str) -> None:
    a, b, c = (TRUTH[value] for value in values)
    flat = truth_of(f"{a} {joined} {b} {joined} {c}", {"yes": "y"})
    # The comparison with TRUE keeps the inner pair a node of its own.
    assert flat == truth_of(f"(({a} {joined} {b}) = TRUE) {joined} {c}", {"yes": "y"})


@pytest.mark.parametrize("operator", ["=", "<>"])
@pytest.mark.parametrize("row", ["TTT", "TFF", "TUU", "FTF", "FFT", "FUU", "UTU", "UFU", "UUU"])
def test_conditions_can_be_compared_with_each_other(row: str, operator: str) -> None:
    left, right, equal = list(row)
    expected = equal if operator == "=" else {"T": "F", "F": "T", "U": "U"}[equal]
    assert truth_of(f"({TRUTH[left]}) {operator} ({TRUTH[right]})", {"yes": "y"}) == expected


@pytest.mark.parametrize(
    ("selector", "text", "truth"),
    [
        ("a = 5", "5", "T"),
        ("a = 5", "5.0", "T"),
        ("a = 5", "05", "T"),
        ("a = '5'", "5.0", "F"),
        ("a <> 5", "5.5", "T"),
        ("a > 100", "20", "F"),
        ("a > 100", "1e3", "T"),
        ("a < 100", "20", "T"),
        ("a <= 20", "20", "T"),
        ("a >= 20.5", "20", "F"),
        ("100 < a", "101", "T"),
        ("100 >= a", "101", "F"),
        ("'x' = a", "x", "T"),
        ("'x' <> a", "x", "F"),
        ("a = TRUE", "True", "T"),
        ("FALSE <> a", "true", "T"),
        ("a", "true", "T"),
        ("a", "false", "F"),
        ("NOT a", "false", "T"),
        ("a = (b IS NULL)", "true", "T"),
        ("a = (b IS NULL)", "false", "F"),
    ],
)
def test_a_header_is_read_as_what_stands_beside_it(selector: str, text: str, truth: str) -> None:
    assert truth_of(selector, {"a": text}) == truth
    assert truth_of(selector, {}) == "U"


@pytest.mark.parametrize(
    "selector",
    [
        *["a = 5", "a <> 5", "a < 5", "a > 5", "5 >= a", "a = b + 1", "a < b", "b > a", "-b > a"],
        *["a = TRUE", "a <> FALSE", "a", "a = (b = 1)"],
        *["'5' = b + 4", "'5' <> b + 4", "b = 1 AND '1' = 1", "(b = 1) = 1", "TRUE <> 1", "'TRUE' = TRUE"],
        "a BETWEEN 1 AND 10",
        "a NOT BETWEEN 1 AND 10",
    ],
)
def test_a_comparison_of_different_types_is_false(selector: str) -> None:
    assert truth_of(selector, {"a": "old", "b": "1"}) == "F"


@pytest.mark.parametrize("selector", ["'5' = a + 1", "TRUE = a + 1", "(b = 1) <> a + 1"])
def test_what_is_null_is_unknown_also_beside_another_type(selector: str) -> None:
    assert truth_of(selector, {"b": "1"}) == "U"


@pytest.mark.parametrize(
    ("selector", "truth"),
    [
        ("a = b", "F"),
        ("a <> b", "T"),
        ("a <= b AND a >= b", "T"),
        ("+a = +b", "T"),
        ("a = c", "U"),
        ("a <> c", "U"),
        ("c <> a", "U"),
        ("JMSCorrelationID = a", "T"),
        ("JMSCorrelationID <> 'x'", "T"),
    ],
)
def test_two_headers_are_equal_as_strings_and_put_in_order_as_numbers(selector: str, truth: str) -> None:
    assert truth_of(selector, {"a": "1", "b": "1.0", "correlation-id": "1"}) == truth


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("10 - 3 - 2", "5"),
        ("100 / 10 / 5", "2"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7 / 2.0", "3.5"),
        ("7 % 3", "1"),
        ("-7 % 3", "-1"),
        ("7.5 % 2", "1.5"),
        ("-a", "-5"),
        ("- -a", "5"),
        ("-(a - 7)", "2"),
        ("+a * 2", "10"),
        ("a + a", "10"),
        ("9223372036854775807 + 1", "9223372036854775808.0"),
    ],
)
def test_arithmetic_has_the_precedence_and_the_types_of_java(expression: str, value: str) -> None:
    assert truth_of(f"{expression} = {value}", {"a": "5"}) == "T"


@pytest.mark.parametrize(
    "expression", ["missing + 1", "text + 1", "-text", "-missing", "1 / zero", "1.0 / zero", "1 % zero"]
)
def test_arithmetic_without_a_number_as_its_result_is_unknown(expression: str) -> None:
    headers = {"text": "old", "zero": "0"}
    assert {truth_of(f"{expression} {operator} 1", headers) for operator in ("=", "<>", "<", ">")} == {"U"}


def test_strings_differ_by_their_capitals() -> None:
    assert not is_selected("region = 'EU'", region="eu")
    assert not is_selected("region IN ('EU')", region="eu")
    assert not is_selected("region LIKE 'EU%'", region="eu")


def test_literals_can_be_compared_with_each_other() -> None:
    assert [truth_of(text, {}) for text in ("'a' = 'a'", "'a' = 'A'", "'a' <> 'b'", "2 < 10", "TRUE = TRUE")] == list(
        "TFTTT"
    )


def test_headers_differ_by_their_capitals() -> None:
    assert is_selected("Region IS NULL", region="eu")


def test_only_what_is_true_is_selected() -> None:
    assert [is_selected(condition) for condition in (TRUE, FALSE, UNKNOWN)] == [True, False, False]


def test_a_priority_that_is_not_said_is_that_of_jms() -> None:
    assert truth_of("JMSPriority = 4 AND JMSPriority > 3", {}) == "T"
    assert truth_of("JMSPriority IS NULL", {}) == "F"
    assert truth_of("priority IS NULL", {}) == "T"


@pytest.mark.parametrize(
    ("headers", "mode"),
    [({}, "PERSISTENT"), ({"persistent": "true"}, "PERSISTENT"), ({"persistent": "False"}, "NON_PERSISTENT")],
)
def test_the_delivery_mode_has_the_words_of_jms(headers: dict[str, str], mode: str) -> None:
    assert truth_of(f"JMSDeliveryMode = '{mode}'", headers) == "T"
    assert truth_of(f"JMSDeliveryMode IN ('{mode}', 'x') AND JMSDeliveryMode LIKE '{mode}'", headers) == "T"
