"""When messages are looked at again."""

from __future__ import annotations

import math

import pytest

from segue.protocols.push.timers import Timers
from tests.unit.broker.actors import World


class Waiter:
    """Who waits; counts how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


@pytest.fixture
def world() -> World:
    return World()


def test_who_waits_is_called_once_and_not_before_its_time(world: World) -> None:
    timers, waiter = Timers(world.node), Waiter()
    now_ms = world.node.clock.now_ms()
    timers.set(waiter, now_ms + 5000, waiter)
    assert (timers.look(), waiter.calls) == (5.0, 0)
    world.clock.advance(5)
    assert (timers.look(), waiter.calls) == (math.inf, 1)
    assert len(timers) == 0


def test_there_is_one_time_for_each(world: World) -> None:
    timers, waiter, other = Timers(world.node), Waiter(), Waiter()
    now_ms = world.node.clock.now_ms()
    timers.set(waiter, now_ms + 1000, waiter)
    timers.set(waiter, now_ms + 3000, other)
    world.clock.advance(2)
    timers.look()
    assert (waiter.calls, other.calls) == (0, 0)
    world.clock.advance(1)
    timers.look()
    assert (waiter.calls, other.calls) == (0, 1)


def test_who_waits_no_more_is_not_called(world: World) -> None:
    timers, waiter = Timers(world.node), Waiter()
    timers.set(waiter, world.node.clock.now_ms(), waiter)
    timers.cancel(waiter)
    timers.cancel(waiter)
    timers.look()
    assert waiter.calls == 0


def test_who_wants_to_be_called_at_once_again_holds_up_nobody(world: World) -> None:
    timers = Timers(world.node)
    calls: list[int] = []

    def call() -> None:
        calls.append(len(calls))
        timers.set(timers, world.node.clock.now_ms(), call)

    call()
    for count in (2, 3):
        assert timers.look() == 0
        assert len(calls) == count


def test_times_that_nobody_waits_for_do_not_gather(world: World) -> None:
    timers = Timers(world.node)
    for number in range(10_000):
        timers.set(waiter := Waiter(), world.node.clock.now_ms() + 86_400_000 + number, waiter)
        timers.cancel(waiter)
    assert len(timers._heap) < 1100
