"""Which level a message of a priority goes to."""

from __future__ import annotations

import pytest

from segue.broker.priority import Scale, priority_of
from segue.broker.queue_options import PRIORITY_MAX
from tests.unit.broker.actors import record


@pytest.mark.parametrize("priority_max", range(1, 11))
def test_up_to_ten_every_priority_is_a_level_of_its_own(priority_max: int) -> None:
    scale = Scale(priority_max)
    assert [scale.level(priority) for priority in range(priority_max + 1)] == list(range(priority_max + 1))
    assert scale.level_max == priority_max


@pytest.mark.parametrize("priority_max", [11, 99, 254, PRIORITY_MAX])
def test_more_priorities_share_eleven_levels_evenly_and_in_order(priority_max: int) -> None:
    scale = Scale(priority_max)
    levels = [scale.level(priority) for priority in range(priority_max + 1)]
    assert levels == sorted(levels)
    assert set(levels) == set(range(11))
    sizes = [levels.count(level) for level in range(11)]
    assert max(sizes) - min(sizes) <= 1


def test_what_is_higher_than_the_highest_counts_as_the_highest() -> None:
    assert [Scale(5).level(priority) for priority in (5, 6, 255, 10**17)] == [5, 5, 5, 5]
    assert [Scale(255).level(priority) for priority in (255, 256, 10**17)] == [10, 10, 10]


def test_messages_that_say_nothing_are_in_the_middle() -> None:
    assert [Scale(priority_max).level(None) for priority_max in (1, 2, 3, 5, 9, 10, 255)] == [0, 1, 1, 2, 4, 5, 5]


@pytest.mark.parametrize(("text", "priority"), [("0", 0), ("9", 9), ("255", 255), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_a_message_says_its_priority_in_a_header(text: str, priority: int) -> None:
    assert priority_of(record("x", b"a:b\npriority:%b\ncontent-length:1\n\n" % text.encode())) == priority


@pytest.mark.parametrize("text", ["", " ", "-1", "+1", "4.0", "high", "9" * 19, "٣", "²"])
def test_what_is_no_number_is_no_priority(text: str) -> None:
    assert priority_of(record("x", b"priority:%b\ncontent-length:1\n\n" % text.encode())) is None


def test_a_message_without_the_header_has_none() -> None:
    assert priority_of(record("x", b"my-priority:7\ncontent-length:1\n\n")) is None
