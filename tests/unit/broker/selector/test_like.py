"""Patterns: what they match, and that finding it out never costs much."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segue.broker.selector.like import OpenEscapeError, floating_characters, like
from tests.unit.broker.selector.interpreter import matches_pattern
from tests.unit.broker.selector.trees import patterns


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("eu", ["eu"], ["", "EU", "eu ", "xeu", "e"]),
        ("", [""], ["x"]),
        ("%", ["", "x", "line\nend"], []),
        ("%%", ["", "x"], []),
        ("%%%%", ["", "x"], []),
        ("eu%", ["eu", "euro", "eu\n"], ["e", "xeu"]),
        ("%eu", ["eu", "feu"], ["eux"]),
        ("%eu%", ["eu", "neuro"], ["e-u"]),
        ("a%a", ["aa", "aba"], ["a", "ab"]),
        ("ab%ba", ["abba", "ab-ba"], ["aba"]),
        ("a%b%c", ["abc", "a--b--c", "abbc"], ["acb", "ab"]),
        ("%a%a%", ["aa", "-a-a-"], ["a"]),
        ("_", ["x", "é", "\n", "😀"], ["", "xx"]),
        ("l_se", ["lose"], ["loose", "lse"]),
        ("_%", ["x", "xy"], [""]),
        ("%_", ["x", "xy"], [""]),
        ("%_a%", ["xa", "aa"], ["a"]),
        ("a_%_b", ["a12b", "a1-2b"], ["a1b"]),
        ("%a_c%c", ["abcc", "-abc-c"], ["abc"]),
        (".*[x]", [".*[x]"], ["aax"]),
        ("%.+_", ["x.+y"], ["xy"]),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, matching: list[str], others: list[str]) -> None:
    test = like(pattern)
    assert [text for text in matching if not test(text)] == []
    assert [text for text in others if test(text)] == []


def test_behind_the_escape_character_everything_stands_for_itself() -> None:
    assert [text for text in ("_foo", "bar", "_") if like(r"\_%", "\\")(text)] == ["_foo", "_"]
    assert [text for text in ("100%", "1000") if like("100!%", "!")(text)] == ["100%"]
    assert like("a!!b!c", "!")("a!bc")
    assert like("a%%%_", "%")("a%_")
    assert like("__a", "_")("_a")


def test_an_escape_character_with_nothing_behind_it_is_refused() -> None:
    with pytest.raises(OpenEscapeError):
        like("abc!", "!")
    with pytest.raises(OpenEscapeError):
        floating_characters("%!!!", "!")


@given(st.text(alphabet="aab!%_é\n", max_size=12), patterns)
@example("ab!", "a_!")
def test_every_pattern_matches_what_it_matches_when_everything_is_tried(text: str, pattern: str) -> None:
    assert like(pattern)(text) == matches_pattern(text, pattern)
    escaped = pattern.replace("!", "!_")
    assert like(escaped, "!")(text) == matches_pattern(text, escaped, "!")


@pytest.mark.parametrize(
    ("pattern", "characters"),
    [("a_b", 0), ("_%_", 0), ("%abc%", 0), ("%a_c%", 3), ("_%a_%b%__%_", 4), ("%!_!_%", 0)],
)
def test_only_pieces_that_are_looked_for_at_each_place_are_counted(pattern: str, characters: int) -> None:
    assert floating_characters(pattern, "!") == characters


def test_a_pattern_that_would_make_a_regular_expression_try_for_ever_does_not() -> None:
    """`.*a.*a.*a…b` takes some 10**40 steps on this text. As the test ends, so does the pattern."""
    assert not like("%" + "a%" * 30 + "b")("a" * 10_000)
    assert not like("%" + "a_%" * 30 + "b")("a" * 10_000)
    assert like("%" + "a%" * 1000)("a" * 10_000)
