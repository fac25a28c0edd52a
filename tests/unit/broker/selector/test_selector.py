"""Selectors as objects: what they read, when they are equal, and the predicate of AMQP."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import pytest

from segue.broker.errors import BrokerError
from segue.broker.selector import Selector, SelectorError, compile_selector, header_match, load_parser
from segue.broker.selector.limits import CACHED_CHARACTERS_MAX, CACHED_SELECTORS_MAX, DEPTH_MAX, TEXT_CHARACTERS_MAX
from segue.broker.selector.selector import _cached

SELECTOR = "region = 'eu' AND amount > 100"


class Asked:
    """Headers that note which of them they were asked for."""

    def __init__(self, **headers: str) -> None:
        self.headers = headers
        self.names: set[str] = set()

    def get(self, name: str, /) -> str | None:
        self.names.add(name)
        return self.headers.get(name)


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    _cached.cache_clear()
    yield
    _cached.cache_clear()


def test_a_selector_selects_by_the_headers_of_a_message() -> None:
    selector = compile_selector(SELECTOR)
    amounts = [{"region": "eu", "amount": amount} for amount in ("101", "100", "1e3", "much")]
    assert [selector.matches(headers) for headers in amounts] == [True, False, True, False]


def test_a_selector_says_which_headers_it_reads_and_reads_no_others() -> None:
    selector = compile_selector(f"({SELECTOR}) OR JMSPriority > 5 AND \"x-y\" LIKE 'a%'")
    assert selector.names == {"region", "amount", "priority", "x-y"}
    asked = Asked(region="eu", priority="9")
    assert not selector.matches(asked)
    assert asked.names == selector.names


def test_selectors_are_equal_if_they_say_the_same_in_other_spaces_capitals_and_parentheses() -> None:
    selector = compile_selector(SELECTOR)
    same = compile_selector("((region='eu')  and (\"amount\" > 1_00))")
    assert (selector, hash(selector)) == (same, hash(same))
    assert same.text == SELECTOR
    assert repr(same) == f"<Selector {SELECTOR}>"


@pytest.mark.parametrize("other", ["region = 'EU' AND amount > 100", "Region = 'eu' AND amount > 100", "amount > 100"])
def test_selectors_that_say_something_else_are_not_equal(other: str) -> None:
    assert compile_selector(SELECTOR) != compile_selector(other)
    assert compile_selector(SELECTOR) != SELECTOR


def test_the_same_text_is_compiled_once() -> None:
    assert compile_selector(SELECTOR) is compile_selector(SELECTOR)


def test_the_cache_has_a_bound() -> None:
    for number in range(CACHED_SELECTORS_MAX + 10):
        compile_selector(f"a = {number}")
    assert _cached.cache_info().currsize == CACHED_SELECTORS_MAX


def test_a_long_text_is_not_kept() -> None:
    text = f"a = '{'x' * (CACHED_CHARACTERS_MAX - 6)}'"
    assert compile_selector(text) is compile_selector(text)
    assert compile_selector(f"{text} ") == compile_selector(f"{text} ")
    assert _cached.cache_info().currsize == 1


def test_a_text_beyond_the_limit_is_refused_before_anything_is_read() -> None:
    assert compile_selector(" " * TEXT_CHARACTERS_MAX).names == frozenset()
    with pytest.raises(SelectorError) as caught:
        compile_selector("a" * (TEXT_CHARACTERS_MAX + 1))
    assert caught.value.expected == f"at most {TEXT_CHARACTERS_MAX} characters"
    assert caught.value.column == TEXT_CHARACTERS_MAX + 1


@pytest.mark.parametrize(
    "text",
    [
        "a IN (" + ",".join(["'0123456789'"] * 485) + ") AND b = '" + "x" * 1300 + "'",  # longer, by the blanks
        "a BETWEEN " + "1+" * 240 + "1 AND " + "2*" * 230 + "2",  # more words: two comparisons, and parentheses
        " OR ".join(["a+2*b>1"] * 123),
        "'" + "''" * 4000 + "' = a",
    ],
)
def test_what_is_compiled_can_be_compiled_again_from_its_normal_text(text: str) -> None:
    assert compile_selector(compile_selector(text).text) == compile_selector(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a IN (" + ",".join(["'0123456789'"] * 485) + ") AND b = '" + "x" * 1800 + "'", "8192 characters"),
        ("a+" + "1+" * 300 + "1 BETWEEN 1 AND 2", "1000 words and signs in a selector"),
        (" AND ".join(["a NOT BETWEEN 1 AND 2"] * 142), "1000 words and signs in a selector"),
    ],
)
def test_a_selector_whose_normal_text_is_beyond_the_limits_is_refused(text: str, expected: str) -> None:
    with pytest.raises(SelectorError) as caught:
        compile_selector(text)
    assert (caught.value.column, caught.value.found) == (1, "more when it is written out")
    assert caught.value.expected == f"at most {expected}"


def test_the_deepest_selector_takes_a_third_of_the_stack() -> None:
    text = "a"
    for number in range(DEPTH_MAX // 2 - 1):
        text = f"(c = {number} OR b = 1 AND {text})"
    load_parser()
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 333)
    try:
        assert compile_selector(text).matches({"a": "true", "b": "1"})
    finally:
        sys.setrecursionlimit(usual)


def test_an_error_is_one_of_the_broker_and_has_a_code() -> None:
    with pytest.raises(BrokerError) as caught:
        compile_selector("a = ")
    assert caught.value.code == "selector"


def test_the_empty_selector_selects_every_message_and_reads_nothing() -> None:
    selector = compile_selector("")
    assert (selector.names, selector.text) == (frozenset(), "TRUE")
    assert selector.matches({})


def test_the_parser_can_be_loaded_ahead_of_time() -> None:
    load_parser()
    load_parser()
    assert _cached.cache_info().misses == 1


@pytest.mark.parametrize(
    ("every", "headers", "selected"),
    [
        (True, {"format": "pdf", "type": "report"}, True),
        (True, {"format": "pdf", "type": "log"}, False),
        (True, {"format": "pdf", "size": None}, True),
        (True, {"format": "pdf", "missing": None}, False),
        (True, {"format": "pdf", "missing": "x"}, False),
        (True, {"size": 10, "signed": True, "ratio": 0.5}, True),
        (True, {"size": 11}, False),
        (True, {"signed": False}, False),
        (True, {}, True),
        (False, {"format": "zip", "type": "report"}, True),
        (False, {"format": "zip", "type": "log"}, False),
        (False, {"missing": None, "size": 10}, True),
        (False, {"missing": "x", "size": 11}, False),
        (False, {}, False),
        (True, {"ratio": float("nan")}, False),
        (True, {"ratio": float("inf")}, False),
        (True, {"JMSPriority": "9"}, True),
    ],
)
def test_a_header_match_compares_all_or_any(
    every: bool, headers: dict[str, str | int | float | bool | None], selected: bool
) -> None:
    message = {"format": "pdf", "type": "report", "size": "10", "signed": "true", "ratio": "0.50", "JMSPriority": "9"}
    assert header_match(every, headers).matches(message) is selected


def test_a_header_match_is_a_selector_that_can_be_written_down() -> None:
    match = header_match(True, {"region": "eu", "x y": None, "JMSPriority": 9})
    assert match.text == 'region = \'eu\' AND NOT "x y" IS NULL AND "JMSPriority" = 9'
    assert match == compile_selector(match.text)
    assert match.names == {"region", "x y", "JMSPriority"}
    assert isinstance(match, Selector)


def test_matching_gives_true_or_false_and_nothing_else() -> None:
    for text in ("a", "a = 1 AND b = 2", "a IS NULL OR b = 2", "NOT a = 'x'", "a LIKE '%' AND a IN ('x')"):
        assert {type(compile_selector(text).matches(headers)) for headers in ({}, {"a": "x"}, {"b": "2"})} == {bool}
