"""Patterns, names of queues and times in a queue, as policies have them."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.names import InvalidNameError, check_queue_name
from segue.broker.settings.kinds import Kind
from segue.broker.settings.queue_kinds import Milliseconds, QueueName, QueuePattern

KINDS: list[Kind[Any]] = [QueuePattern(), QueueName(), Milliseconds()]


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (QueuePattern(), "*", "*"),
        (QueuePattern(), "", ""),
        (QueuePattern(), "a b.#.>..*", "a b.#.>..*"),
        (QueuePattern(), "u\u0308*", "\u00fc*"),
        (QueueName(), "", ""),
        (QueueName(), "orders.dead", "orders.dead"),
        (QueueName(), "u\u0308", "\u00fc"),
        (Milliseconds(), 0, 0),
        (Milliseconds(), "1.5 s", 1500),
    ],
)
def test_a_kind_reads_the_values_it_is_for(kind: Kind[Any], raw: object, value: object) -> None:
    assert kind.read(raw) == value
    assert kind.read(tomllib.loads(f"x = {kind.toml(value)}")["x"]) == value
    assert kind.plain(value) == value


@pytest.mark.parametrize(
    ("kind", "raw", "fault"),
    [
        (QueuePattern(), 5, "is 5, not a pattern on names of queues"),
        (QueuePattern(), "a\u200b", 'is "a\\u200b", not a pattern'),
        (QueuePattern(), "a\udcff", 'is "a\\udcff", not a pattern'),
        (QueuePattern(), "\u00e9" * 128, "not a pattern"),
        (QueueName(), ["x"], "is a list, not the name of a queue"),
        (QueueName(), "a.*", "wildcards are for topics"),
        (QueueName(), "a..b", "'..'"),
        (QueueName(), " a", "begin or end with a space"),
        (QueueName(), "a,b", "comma"),
        (QueueName(), "x" * 256, "1 to 255 bytes"),
        (Milliseconds(), 1.5, "is 1.5, not a number of milliseconds"),
        (Milliseconds(), True, "is true, not a number of milliseconds"),
        (Milliseconds(), "soon", 'is "soon", not a number with a unit'),
    ],
)
def test_a_kind_says_what_is_wrong_with_any_other_value(kind: Kind[Any], raw: object, fault: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared below
        kind.read(raw)
    assert fault in str(refused.value)


@given(st.sampled_from(KINDS), st.one_of(st.text(max_size=300), st.integers(), st.floats(), st.none(), st.booleans()))
def test_any_value_is_taken_or_refused_on_one_printable_line(kind: Kind[Any], raw: object) -> None:
    try:
        outcome = repr(kind.read(raw))
    except ValueError as fault:
        outcome = str(fault)
        assert len(outcome) < 250
    assert outcome.isprintable()


@given(st.text(min_size=1, max_size=20))
def test_a_name_of_a_queue_is_what_front_ends_take_for_one_in_the_same_form(text: str) -> None:
    expected: str | None
    try:
        expected = check_queue_name(text)
    except InvalidNameError:
        expected = None
    if expected is None:
        with pytest.raises(ValueError, match="not the name of a queue"):
            QueueName().read(text)
    else:
        assert QueueName().read(text) == expected
