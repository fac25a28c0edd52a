"""Clocks that are set (fault 47): delays hold, times of day follow the clock on the wall, and nothing is lost."""

from __future__ import annotations

import pytest

from segue.broker.message import decode, encode, prefix
from segue.broker.queue_options import QueueOptions
from segue.broker.schedule.repeat import Repeat
from tests.unit.broker.actors import record
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []

HOUR = 3600.0
YEAR = 365.0 * 86400
STEPS = pytest.mark.parametrize("step", [HOUR, -HOUR, YEAR, -YEAR], ids=["+1 h", "-1 h", "+1 year", "-1 year"])


@STEPS
def test_a_delay_is_as_long_as_it_was_whoever_sets_the_clock(world: Waiting, step: float) -> None:
    """Fault 47."""
    for delay in (10, 200, 5000):
        world.send(f"{delay}", delay=delay)
    world.wait(5)
    world.clock.set_by(step)
    world.wait(4.999)
    assert world.bodies() == []
    world.wait(0.001)
    assert world.bodies() == ["10"]
    world.wait(4990)
    assert world.bodies() == ["10", "200", "5000"]
    assert [line.fields["by_ms"] for line in world.log.named("clock.set")] == [round(step * 1000)]


@STEPS
def test_so_it_is_over_a_restart_when_the_clock_was_set_before(world: Waiting, step: float) -> None:
    """Fault 47."""
    world.send("a", delay=100)
    world.work()
    world.clock.set_by(step)
    world.work()
    world.restart()
    world.wait(99.999)
    assert world.bodies() == []
    world.wait(0.001)
    assert world.bodies() == ["a"]


def test_a_time_of_day_comes_sooner_when_the_clock_is_set_ahead(world: Waiting) -> None:
    """Fault 47."""
    for seconds in (HOUR + 5, HOUR - 5, 5, 2 * HOUR):
        world.send_at(f"{seconds:g}", seconds)
    world.work()
    world.clock.set_by(HOUR)
    world.wait(1)
    assert world.bodies() == ["5", "3595"]
    world.wait(4)
    assert world.bodies() == ["5", "3595", "3605"]
    world.wait(HOUR)
    assert world.bodies() == ["5", "3595", "3605", "7200"]


@pytest.mark.parametrize("step", [HOUR, YEAR])
@pytest.mark.parametrize("due", [0.2, 5, 100, 5000])
def test_a_time_of_day_does_not_come_early_when_the_clock_is_set_back(world: Waiting, step: float, due: float) -> None:
    """Fault 47."""
    world.send_at("a", due)
    world.work()
    world.clock.set_by(-step)
    world.wait(due + step - 0.001)
    assert world.bodies() == []
    world.wait(0.001)
    assert world.bodies() == ["a"]


def test_what_is_due_soon_after_a_step_back_is_not_held_up_by_what_was_in_memory(world: Waiting) -> None:
    """Fault 47."""
    for number in range(10):
        world.send_at(f"later {number}", 0.3)
    world.work()
    world.clock.set_by(-YEAR)
    world.work()
    assert all(not bucket.out for bucket in world.node.schedule.buckets()), "nothing is kept in memory for a year"
    world.send_at("soon", 10)
    world.wait(10)
    assert world.bodies() == ["soon"]
    world.wait(YEAR)
    assert world.bodies() == ["soon", *(f"later {number}" for number in range(10))]


def test_a_clock_that_is_pulled_is_not_one_that_is_set(world: Waiting) -> None:
    """A leap second that is smeared, and what NTP does all day."""
    world.send("a", delay=100)
    for _ in range(5):
        world.wait(1)
        world.clock.set_by(0.1)
    assert world.log.named("clock.set") == []


def test_names_of_messages_are_not_used_again_when_the_clock_is_set_back(world: Waiting) -> None:
    """Fault 47."""
    first = [world.send_at("a", 10) for _ in range(3)]
    world.work()
    world.clock.set_by(-HOUR)
    second = [world.send_at("a", 10 + HOUR) for _ in range(3)]
    assert len({*first, *second}) == 6


@STEPS
@pytest.mark.parametrize("is_restarted", [False, True], ids=["", "and a restart"])
def test_what_waits_for_a_time_of_day_lives_as_long_from_then_on_whoever_sets_the_clock(
    world: Waiting, step: float, is_restarted: bool
) -> None:
    """Fault 47."""
    queue = world.node.declare_queue("q", options=QueueOptions(message_ttl_ms=10_000))
    world.publish(queue)
    at_ms = world.clock.now_ms() + 2 * round(YEAR * 1000)
    world.node.schedule.at(at_ms, "qq", encode(*prefix(at_ms, b"\n", expires_ms=at_ms + 5000), b"a"))
    world.work()
    world.clock.set_by(step)
    world.work()
    if is_restarted:
        world.restart()
    world.wait((at_ms - world.clock.now_ms()) / 1000)
    assert world.bodies() == ["a"]
    found = decode(world.node.queues["q"].log.hot[1])
    now_ms = world.node.clock.now_ms()
    assert (found.accepted_ms - now_ms, found.expires_ms - now_ms) == (0, 5000)


@STEPS
def test_each_repeat_lives_as_long_whoever_sets_the_clock(world: Waiting, step: float) -> None:
    """Fault 47."""
    repeat = Repeat(period_ms=10_000, left=3, lives_ms=5000)
    world.node.schedule.after(10_000, "qq", record("a"), repeat)
    world.wait(10)
    world.clock.set_by(step)
    world.wait(20)
    found = [decode(world.node.queues["q"].log.hot[seq]) for seq in (2, 3)]
    now_ms = world.node.clock.now_ms()
    assert [one.accepted_ms - now_ms for one in found] == [-10_000, 0]
    assert [one.expires_ms - one.accepted_ms for one in found] == [5000, 5000]
