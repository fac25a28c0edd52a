"""Clocks: the steady one goes on whoever sets the one on the wall."""

from __future__ import annotations

import pytest

from segue.broker.clock import SteadyClock, SystemClock
from tests.unit.broker.memory_store import FakeClock


def test_the_clock_of_the_system_goes_on() -> None:
    clock = SystemClock()
    assert clock.now_ms() > 1_600_000_000_000
    assert clock.monotonic() <= clock.monotonic()


def test_it_shows_the_time_of_day_as_long_as_nobody_sets_that() -> None:
    wall = FakeClock()
    clock = SteadyClock(wall)
    for seconds in (0, 0.001, 5, 86_400):
        wall.advance(seconds)
        assert clock.now_ms() == wall.now_ms()
    assert (clock.look(), clock.ahead_ms) == (0, 0)


@pytest.mark.parametrize("step", [3600, -3600, -31_536_000])
def test_it_goes_on_when_that_is_set_and_knows_how_far_the_two_are_apart(step: int) -> None:
    wall = FakeClock()
    clock = SteadyClock(wall)
    before_ms = clock.now_ms()
    wall.set_by(step)
    wall.advance(1)
    assert clock.now_ms() == before_ms + 1000
    assert (clock.look(), clock.look(), clock.ahead_ms) == (step * 1000, 0, -step * 1000)
    assert clock.on_wall(clock.now_ms()) == wall.now_ms()
    assert clock.of_wall(wall.now_ms()) == clock.now_ms()


def test_a_clock_that_is_pulled_is_not_one_that_is_set() -> None:
    """A leap second that is smeared, and what NTP does all day."""
    wall = FakeClock()
    clock = SteadyClock(wall)
    wall.set_by(0.9)
    assert (clock.look(), clock.ahead_ms) == (0, 0)


def test_after_a_restart_it_goes_on_where_it_was() -> None:
    wall = FakeClock()
    first = SteadyClock(wall)
    wall.set_by(3600)
    first.look()
    again = SteadyClock(wall)
    again.go_on(first.ahead_ms, first.now_ms())
    assert again.now_ms() == first.now_ms()


def test_it_does_not_go_back_when_the_machine_forgets_the_time() -> None:
    wall = FakeClock()
    wall.set_by(-wall.now_ms() / 1000)  # 1970, as after every start of this machine
    first = SteadyClock(wall)
    wall.set_by(1_700_000_000)
    first.look()
    reached_ms = first.now_ms()
    wall.set_by(-1_700_000_000)
    again = SteadyClock(wall)
    again.go_on(first.ahead_ms, reached_ms)
    assert again.now_ms() == reached_ms
