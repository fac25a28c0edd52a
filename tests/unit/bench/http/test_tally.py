"""The sum at the end: each message that was confirmed has come, once."""

import pytest

from segue.bench.http.tally import Tally
from segue.bench.replies import BrokerError


def tally(published: int, taken: list[int]) -> Tally:
    counted = Tally()
    counted.numbers(published)
    counted.confirm(published, published)
    counted.take(taken)
    return counted


def test_numbers_are_given_out_once() -> None:
    counted = Tally()
    assert [counted.numbers(1), counted.numbers(100), counted.numbers(1)] == [0, 1, 101]


def test_all_that_came_once_is_without_fault() -> None:
    counted = tally(4, [2, 3, 0, 1])
    assert (counted.published, counted.taken, counted.faults()) == (4, 4, "")


def test_a_lost_message_is_a_fault() -> None:
    assert tally(4, [0, 1, 3]).faults() == "1 messages missing, 0 twice"


def test_a_message_that_came_again_does_not_make_up_for_a_lost_one() -> None:
    assert tally(4, [0, 1, 1, 3]).faults() == "1 messages missing, 1 twice"


def test_what_was_only_half_confirmed_is_an_error() -> None:
    with pytest.raises(BrokerError, match="99 messages were confirmed, not 100"):
        Tally().confirm(99, 100)
