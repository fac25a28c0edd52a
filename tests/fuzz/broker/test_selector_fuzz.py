"""Any text as a selector: a `SelectorError` or a selector, after a number of steps that its length bounds."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.selector import Selector, SelectorError
from segue.broker.selector.errors import Fault
from segue.broker.selector.limits import TEXT_CHARACTERS_MAX
from segue.broker.selector.parser import parse
from tests.unit.broker.selector.trees import headers

WORDS = [
    *["AND", "or", "Not", "BETWEEN", "LIKE", "ESCAPE", "IN", "IS", "NULL", "TRUE", "false"],
    *[
        "(",
        ")",
        "((",
        "))",
        ",",
        "=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "!",
        ".",
        "_",
        "\\",
        "\0",
        "#",
    ],
    *[
        "'",
        '"',
        "''",
        '""',
        "'eu'",
        "'a%_b'",
        '"x-y"',
        "'!'",
        "--",
        "/*",
        "hyphenated_props:",
        "convert_string_expressions:",
    ],
    *["0", "1", "09", "0x1F", "1e5", "1.", ".5", "9" * 30, "1_0", "0b1", "9223372036854775808", "2L", "1e999"],
    *["a", "JMSPriority", "JMSRedelivered", "JMSFoo", "größe", "a-b", "\u0301", "\u00a0", "\ud800", "😀", "XPATH"],
    *[
        "a = 1",
        "b LIKE 'x%'",
        "a IN ('x', 'y')",
        "a IS NOT NULL",
        "a NOT BETWEEN 1 AND 5",
        "NOT NOT",
        "- - -",
        "(a = 1)",
    ],
]
# Python calls for each character of a text, and for a text at all. Real selectors take 15 for a character.
CALLS_A_CHARACTER = 150
CALLS_A_TEXT = 3000

joined = st.tuples(st.lists(st.sampled_from(WORDS), max_size=40), st.sampled_from([" ", "", "\n"])).map(
    lambda drawn: drawn[1].join(drawn[0])
)


def result_of(text: str) -> Selector | SelectorError:
    """As `compile_selector`, but without its cache."""
    try:
        return Selector(parse(text))
    except Fault as fault:
        return fault.within(text)


def calls_of(act: Callable[[], object]) -> int:
    """Count the calls of Python functions: a measure of work that is the same on every machine."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count


def check(text: str) -> Selector | SelectorError:
    results: list[Selector | SelectorError] = []
    assert calls_of(lambda: results.append(result_of(text))) <= CALLS_A_TEXT + CALLS_A_CHARACTER * len(text)
    [result] = results
    if isinstance(result, SelectorError):
        assert 1 <= result.line <= text.count("\n") + text.count("\r") + 1
        assert 1 <= result.column <= len(text) + 1
        assert len(str(result)) < 500
    return result


@pytest.fixture(autouse=True, scope="module")
def _loaded_parser() -> None:
    """The grammar's tables are made once, and by no text."""
    for text in ("TRUE", "hyphenated_props:TRUE"):
        assert isinstance(result_of(text), Selector)


@given(st.one_of(st.text(max_size=60), joined), headers)
def test_any_text_is_a_selector_or_an_error(text: str, message: dict[str, str]) -> None:
    result = check(text)
    if isinstance(result, Selector):
        assert result.matches(message) in (True, False)
        assert Selector(parse(result.text)) == result


def test_texts_put_together_from_what_selectors_have_are_selectors_or_errors() -> None:
    source = random.Random(20)
    results = [check(" ".join(source.choices(WORDS, k=source.randint(1, 12)))) for _ in range(3000)]
    assert {type(result) for result in results} == {Selector, SelectorError}


@pytest.mark.parametrize("word", [*WORDS, "a OR ", "a + ", "(a) AND ", "'x',", "a IN ('x') OR ", "1_", "\n", "% "])
def test_a_word_that_fills_the_longest_text_is_done_with_in_bounded_steps(word: str) -> None:
    for prefix in ("", "a = ", "a IN (", "a LIKE '"):
        check((prefix + word * TEXT_CHARACTERS_MAX)[:TEXT_CHARACTERS_MAX])
