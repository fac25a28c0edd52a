"""Circuit breakers."""

from __future__ import annotations

import pytest

from segue.protocols.push.breaker import Breaker, BreakerStatistics, Circuit


def failed(times: int, now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(times):
        assert breaker.admit(now) == 0
        breaker.fail(now)
    return breaker


def circuit_of(breaker: Breaker, now: float = 0.0) -> Circuit:
    return breaker.statistics(now).circuit


def test_pushes_are_let_through_until_several_have_failed_in_a_row() -> None:
    assert circuit_of(failed(4)) is Circuit.CLOSED
    breaker = failed(5)
    assert breaker.statistics(0.0) == BreakerStatistics(Circuit.OPEN, failures=5, opened=1, wait_seconds=1.0)
    assert breaker.admit(0.25) == 0.75


def test_a_success_in_between_begins_the_count_anew() -> None:
    breaker = failed(4)
    breaker.succeed()
    assert breaker.is_blank
    for _ in range(4):
        breaker.fail(0.0)
    assert circuit_of(breaker) is Circuit.CLOSED
    assert not breaker.is_blank


def test_when_its_time_is_over_one_push_is_let_through() -> None:
    breaker = failed(5)
    assert breaker.admit(1.0) == 0
    assert circuit_of(breaker) is Circuit.HALF_OPEN
    assert breaker.admit(1.0) > 0


def test_if_that_is_answered_the_circuit_is_closed() -> None:
    breaker = failed(5)
    breaker.admit(1.0)
    breaker.succeed()
    assert circuit_of(breaker) is Circuit.CLOSED
    assert breaker.is_blank


def test_if_it_fails_the_circuit_is_open_for_longer_up_to_a_minute() -> None:
    breaker = failed(5)
    waits, now = [], 0.0
    for _ in range(9):
        wait = breaker.admit(now)
        waits.append(wait)
        now += wait
        assert breaker.admit(now) == 0
        breaker.fail(now)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert breaker.statistics(now).opened == 10


def test_after_a_success_it_is_open_for_a_short_time_again() -> None:
    breaker = failed(5)
    breaker.admit(1.0)
    breaker.fail(1.0)
    breaker.admit(3.0)
    breaker.succeed()
    for _ in range(5):
        breaker.fail(3.0)
    assert breaker.admit(3.0) == 1.0


def test_a_push_that_says_nothing_lets_the_next_one_through() -> None:
    breaker = failed(5)
    breaker.admit(1.0)
    breaker.withdraw(1.5)
    assert circuit_of(breaker) is Circuit.OPEN
    assert breaker.admit(1.5) == 0


def test_what_was_let_through_before_the_circuit_opened_changes_nothing_by_failing() -> None:
    breaker = failed(5)
    breaker.fail(0.5)
    assert breaker.admit(0.5) == 0.5
    assert breaker.statistics(0.5).opened == 1


@pytest.mark.parametrize("circuit", [Circuit.CLOSED, Circuit.OPEN])
def test_withdrawing_means_nothing_where_no_push_was_let_through_alone(circuit: Circuit) -> None:
    breaker = failed(5 if circuit is Circuit.OPEN else 0)
    breaker.withdraw(0.0)
    assert circuit_of(breaker) is circuit
    assert breaker.admit(0.0) == (1.0 if circuit is Circuit.OPEN else 0)
