"""The line: whose turn it is, by rank, by selector, and alone."""

from __future__ import annotations

from typing import Any

import pytest

from segue.broker.consumer import Consumer
from segue.broker.dispatcher import Dispatcher
from segue.broker.line import Line
from segue.broker.queue import Queue
from segue.broker.selector import compile_selector
from tests.unit.broker.actors import FakeSink

RED = compile_selector("colour = 'red'")
BLUE = compile_selector("colour = 'blue'")


@pytest.fixture
def line() -> Line:
    return Line()


def come(line: Line, dispatcher: Dispatcher, prefetch: int = 1, **more: Any) -> Consumer:
    """A consumer that stands in line."""
    consumer = Consumer(dispatcher, FakeSink(), prefetch=prefetch, settles=True, session_id=1, **more)
    line.join(consumer)
    line.queue_up(consumer)
    return consumer


def test_who_was_given_something_stands_behind_the_others(line: Line, queue: Queue) -> None:
    first, second = come(line, queue.dispatcher), come(line, queue.dispatcher)
    assert line.fronts({}) == [first]
    line.step_back(first)
    assert line.fronts({}) == [second]
    line.step_back(second)
    assert line.fronts({}) == [first]


def test_who_is_not_first_does_not_step_back(line: Line, queue: Queue) -> None:
    first, second = come(line, queue.dispatcher), come(line, queue.dispatcher)
    line.step_back(second)
    assert list(line.plain) == [first, second]


def test_the_first_with_each_selector_come_in_turn(line: Line, queue: Queue) -> None:
    red, _ = come(line, queue.dispatcher, selector=RED), come(line, queue.dispatcher, selector=RED)
    blue, plain = come(line, queue.dispatcher, selector=BLUE), come(line, queue.dispatcher)
    assert line.fronts({}) == [red, blue, plain]
    line.step_back(blue)
    assert line.fronts({}) == [red, plain, blue]


def test_a_higher_rank_comes_first_whatever_it_selects_and_steps_back_behind_its_like(line: Line, queue: Queue) -> None:
    low, high = come(line, queue.dispatcher), come(line, queue.dispatcher, rank=5)
    other, red = come(line, queue.dispatcher, rank=5), come(line, queue.dispatcher, rank=9, selector=RED)
    assert line.fronts({}) == [red, high]
    line.step_back(high)
    assert list(line.plain) == [other, high, low]


def test_who_has_no_room_leaves_the_line_at_its_front_and_comes_back_to_its_end(line: Line, queue: Queue) -> None:
    first, second = come(line, queue.dispatcher), come(line, queue.dispatcher)
    first.credit = 0
    assert line.fronts({}) == [second]
    assert not first.waiting
    first.credit = 1
    line.queue_up(first)
    assert list(line.plain) == [second, first]


def test_what_was_given_in_a_round_counts_before_it_is_delivered(line: Line, queue: Queue) -> None:
    first, second = come(line, queue.dispatcher), come(line, queue.dispatcher)
    assert line.fronts({first: 0}) == [second]
    assert line.fronts({second: 0}) == []


def test_the_room_of_a_line_is_added_up_as_far_as_it_matters(line: Line, queue: Queue) -> None:
    for _ in range(3):
        come(line, queue.dispatcher, prefetch=10)
    come(line, queue.dispatcher, prefetch=10, selector=RED)
    assert (line.room(1), line.room(25), line.room(100)) == (10, 30, 40)


def test_who_leaves_is_gone_from_the_line_and_his_selector_with_the_last_who_has_it(line: Line, queue: Queue) -> None:
    red, other = come(line, queue.dispatcher, selector=RED), come(line, queue.dispatcher, selector=RED)
    line.leave(red)
    assert line.fronts({}) == [other]
    line.leave(other)
    assert (line.fronts({}), line.consumers) == ([], [])
    again = come(line, queue.dispatcher, selector=RED)
    assert line.fronts({}) == [again]


def test_an_exclusive_consumer_stands_alone_until_it_leaves(line: Line, queue: Queue) -> None:
    first, red = come(line, queue.dispatcher), come(line, queue.dispatcher, selector=RED)
    exclusive = come(line, queue.dispatcher, exclusive=True)
    assert (line.fronts({}), line.active) == ([exclusive], exclusive)
    line.leave(exclusive)
    assert (set(line.fronts({})), line.active) == ({first, red}, None)


def test_of_single_active_consumers_the_one_of_the_highest_rank_is_served(line: Line, queue: Queue) -> None:
    come(line, queue.dispatcher)
    high = come(line, queue.dispatcher, rank=1)
    assert line.set_single_active(True)
    assert not line.set_single_active(True)
    assert (line.fronts({}), line.active) == ([high], high)


def test_who_queues_up_is_noted_for_who_wants_to_know_also_when_he_stands_there(line: Line, queue: Queue) -> None:
    consumer = come(line, queue.dispatcher)
    line.resumed = {}
    line.queue_up(consumer)
    assert (list(line.resumed), list(line.plain)) == ([consumer], [consumer])
