"""From text to tree: precedence, keywords, names, and where an error is and what it says."""

from __future__ import annotations

import pytest

from segue.broker.selector import SelectorError, compile_selector
from segue.broker.selector.errors import Fault
from segue.broker.selector.limits import DEPTH_MAX, FLOATING_CHARACTERS_MAX, TOKENS_MAX
from segue.broker.selector.parser import parse
from segue.broker.selector.tree import And, Comparison, Field, Header, Literal, Not, Or

A, B, C = (Comparison("=", Header(name), Literal(1)) for name in "abc")


def refusal_of(text: str) -> SelectorError:
    with pytest.raises(SelectorError) as caught:
        compile_selector(text)
    return caught.value


def test_and_binds_tighter_than_or_and_not_tighter_than_and() -> None:
    assert parse("a = 1 OR b = 1 AND NOT c = 1") == Or((A, And((B, Not(C)))))


def test_parentheses_change_what_belongs_together() -> None:
    assert parse("(a = 1 OR b = 1) AND NOT (c = 1 AND a = 1)") == And((Or((A, B)), Not(And((C, A)))))


def test_not_covers_a_whole_comparison() -> None:
    assert parse("NOT a = 1") == Not(A)


def test_keywords_are_keywords_in_any_mixture_of_capitals() -> None:
    assert parse("a = 1 and Not b = 1 oR c = 1") == Or((And((A, Not(B))), C))
    assert parse("a between 1 And 2") == parse("a BETWEEN 1 AND 2")
    assert parse("a like 'x' Escape '!' or a in ('x') or a Is Not nUll") == parse(
        "a LIKE 'x' ESCAPE '!' OR a IN ('x') OR a IS NOT NULL"
    )
    assert parse("TrUe") == Literal(True)


@pytest.mark.parametrize(
    "name", ["android", "ORder", "nota", "in_", "is$", "truey", "a1", "$x", "_y", "größe", "変数", "\u0131s", "i\u017f"]
)
def test_a_name_may_begin_like_a_keyword_and_have_letters_of_any_script(name: str) -> None:
    assert parse(f"{name} = 1") == Comparison("=", Header(name), Literal(1))


def test_a_name_in_quotes_is_that_of_a_header_whatever_it_looks_like() -> None:
    for name in ("content-type", "and", "JMSPriority", "JMSFoo", "two words", 'say "so"', "1st", "'"):
        quoted = name.replace('"', '""')
        assert parse(f'"{quoted}" = 1') == Comparison("=", Header(name), Literal(1))


def test_names_have_hyphens_where_the_prefix_says_so() -> None:
    text = "content-type = 'text/plain' AND a-1 IS NULL"
    assert compile_selector(f"hyphenated_props:{text}").names == {"content-type", "a-1"}
    assert parse("hyphenated_props:no_hyphenated_props:a-b = 1") == parse("a - b = 1")
    assert parse("hyphenated_props:a -b = 1") == parse("a - b = 1")


def test_conversion_of_strings_can_be_asked_for_as_in_activemq() -> None:
    assert parse("convert_string_expressions:a = 1") == A
    assert compile_selector("convert_string_expressions:hyphenated_props:a-b = 1").names == {"a-b"}
    assert parse("hyphenated_props:convert_string_expressions:a-b = 1") == parse('"a-b" = 1')


def test_fields_of_jms_are_told_from_headers() -> None:
    assert parse("JMSPriority = 1") == Comparison("=", Field("JMSPriority"), Literal(1))
    assert parse("JMSXGroupID = 1") == Comparison("=", Header("JMSXGroupID"), Literal(1))
    assert parse("JMS_IBM_Format = 1") == Comparison("=", Header("JMS_IBM_Format"), Literal(1))
    assert parse("jmspriority = 1") == Comparison("=", Header("jmspriority"), Literal(1))


@pytest.mark.parametrize("blank", ["", " ", "\t\r\n\f ", "hyphenated_props:", "convert_string_expressions: "])
def test_the_empty_selector_selects_everything(blank: str) -> None:
    assert parse(blank) == Literal(True)


def test_blanks_of_all_kinds_may_stand_between_words() -> None:
    assert parse("\na\t=\r\n1\f") == A


@pytest.mark.parametrize(
    ("text", "line", "column", "found", "expected"),
    [
        ("region = ", 1, 10, "the end", "a value"),
        ("region 'eu'", 1, 8, "\"'eu'\"", "a comparison"),
        ("a = 1 b", 1, 7, "'b'", "arithmetic, AND, OR or the end"),
        ("a = 1\n  AND b >\n  OR c = 1", 3, 3, "'OR'", "a value"),
        ("a = 1\rAND )", 2, 5, "')'", "a value"),
        ("a = 1\r\nAND ,", 2, 5, "','", "a value"),
        ("(a = 1", 1, 7, "the end", ")"),
        ("a = 1)", 1, 6, "')'", "the end"),
        ("a = = 1", 1, 5, "'='", "a value"),
        ("a = b = c", 1, 7, "'='", "the end"),
        ("a == 1", 1, 4, "'='", "a value"),
        ("a != 1", 1, 3, "'!'", "<> for not equal"),
        ("a = NULL", 1, 5, "'NULL'", "a value"),
        ("a IS 1", 1, 6, "'1'", "NOT or NULL"),
        ("a NOT 1", 1, 7, "'1'", "BETWEEN, IN or LIKE"),
        ("a IN 'x'", 1, 6, "\"'x'\"", "("),
        ("a IN ()", 1, 7, "')'", "a string"),
        ("a IN (1)", 1, 7, "'1'", "a string"),
        ("a IN ('x' 'y')", 1, 11, "\"'y'\"", ") or ,"),
        ("a LIKE b", 1, 8, "'b'", "a string"),
        ("a LIKE 'x' ESCAPE", 1, 18, "the end", "a string"),
        ("a LIKE 'x' ESCAPE 'ab'", 1, 19, "the string 'ab'", "a single character"),
        ("a LIKE 'x' ESCAPE ''", 1, 19, "the string ''", "a single character"),
        ("a LIKE 'x!' ESCAPE '!'", 1, 8, "the pattern 'x!'", "a character behind its last '!'"),
        ("a BETWEEN 1 OR 2", 1, 13, "'OR'", "AND"),
        ("a = 'eu", 1, 5, "a string without an end", "'"),
        ("a = 'e''u''", 1, 5, "a string without an end", "'"),
        ('"a = 1', 1, 1, "a name without an end", '"'),
        ('"" = 1', 1, 1, "a name without an end or without a character", '"'),
        ("a.b = 1", 1, 2, "'.'", "a name, a literal"),
        ("a = #1", 1, 5, "'#'", "a name, a literal"),
        ("größe€§ = 1", 1, 7, "'§'", "double quotes"),
        ("a\u00a0= 1", 1, 2, r"'\xa0'", "double quotes"),
        ("\u0301a = 1", 1, 1, "'\u0301'", "double quotes"),
        ("a = 12abc", 1, 7, "'abc'", "the end"),
        ("a = 09", 1, 5, "the number '09'", "digits of base 8"),
        ("a = 0b12", 1, 5, "the number '0b12'", "digits of base 2"),
        ("a = 9223372036854775808", 1, 5, "the number", "64 bits"),
        ("JMSRedelivered = TRUE", 1, 1, "'JMSRedelivered'", "from delivery to delivery"),
        ("a = 1 AND JMSpriority = 1", 1, 11, "'JMSpriority'", "one of JMSCorrelationID, "),
        ("XPATH '//x'", 1, 7, "\"'//x'\"", "a comparison"),
        ("no_convert_string_expressions:a = 1", 1, 1, "no_convert_string_expressions:", "always converted"),
        ("hyphenated_props:a-b = ", 1, 24, "the end", "a value"),
        ("convert_string_expressions:a = 'eu", 1, 32, "a string without an end", "'"),
    ],
)
def test_an_error_says_where_it_is_and_what_is_wrong(
    text: str, line: int, column: int, found: str, expected: str
) -> None:
    error = refusal_of(text)
    assert (error.line, error.column) == (line, column)
    assert error.found.startswith(found)
    assert expected in error.expected
    assert str(error) == f"selector, line {line}, column {column}: found {error.found}, expected {error.expected}"


def test_an_error_shows_no_more_than_the_start_of_a_long_word_and_no_control_characters() -> None:
    error = refusal_of("a = 1 '" + "\n\x1b" * 1000 + "'")
    assert len(str(error)) < 250
    assert str(error).isprintable()


def test_no_selector_may_have_more_words_than_the_limit() -> None:
    terms = TOKENS_MAX // 4
    assert compile_selector(" OR ".join(["a = 1"] * terms)).names == {"a"}
    error = refusal_of(" OR ".join(["a=1"] * terms) + " OR a=1")
    assert f"at most {TOKENS_MAX} words" in error.expected
    assert error.line == 1


@pytest.mark.parametrize(("opening", "closing"), [("NOT ", ""), ("NOT (", ")"), ("TRUE = (", ")")])
def test_no_selector_may_be_nested_deeper_than_the_limit(opening: str, closing: str) -> None:
    def nested(depth: int) -> str:
        return f"{opening * depth}a{closing * depth}"

    assert compile_selector(nested(DEPTH_MAX)).names == {"a"}
    assert "levels of nesting" in refusal_of(nested(DEPTH_MAX + 1)).expected


def test_signs_are_nested_too() -> None:
    assert compile_selector(f"{'- ' * (DEPTH_MAX - 1)}a = 1").matches({"a": "-1"})
    assert "levels of nesting" in refusal_of(f"{'- ' * DEPTH_MAX}a = 1").expected


def test_what_is_nested_hundreds_of_times_is_refused_and_does_not_exhaust_the_stack() -> None:
    assert "levels of nesting" in refusal_of(f"{'NOT ' * 900}a").expected
    assert compile_selector(f"{'(' * 490}a{')' * 490}").names == {"a"}


def test_betweens_within_betweens_are_refused_where_they_begin() -> None:
    text = "a"
    for _ in range(50):
        text = f"({text}) BETWEEN 1 AND 2"
    assert refusal_of(text).expected == "a number or a header"


def test_patterns_that_are_costly_to_find_are_limited_in_all_together() -> None:
    half = "%" + "a_" * (FLOATING_CHARACTERS_MAX // 4) + "%"
    assert compile_selector(f"a LIKE '{half}' OR b LIKE '{half}'").names == {"a", "b"}
    assert "patterns" in refusal_of(f"a LIKE '{half}' OR b LIKE '{half}' OR c LIKE '%_%'").expected
    assert compile_selector(f"a LIKE '%{'a' * 2000}%' OR a LIKE '{'_' * 2000}'").names == {"a"}


def test_a_fault_is_an_error_only_with_its_text() -> None:
    with pytest.raises(Fault) as caught:
        parse("a = ")
    assert caught.value.at == 4
