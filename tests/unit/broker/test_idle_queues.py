"""Queues that go when nobody uses them: what a use is, and that each goes at its own time."""

from __future__ import annotations

import pytest

from segue.broker.browse import Browser
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from segue.broker.settings import Policy
from tests.unit.broker.actors import World


def declare(world: World, name: str = "q", seconds: float = 10) -> Queue:
    return world.node.declare_queue(name, options=QueueOptions(expires_ms=int(seconds * 1000)))


def left(world: World, seconds: float) -> list[str]:
    """The queues that are there when so much time has passed."""
    world.clock.advance(seconds)
    world.node.delete_idle_queues()
    return sorted(world.node.queues)


def test_a_queue_that_nobody_uses_goes_with_its_messages(world: World) -> None:
    queue = declare(world)
    assert left(world, 5) == ["q"]
    world.publish(queue, "a", "b")
    assert left(world, 4.9) == ["q"]
    assert left(world, 0.1) == []
    assert not queue.open
    assert [event.fields for event in world.log.named("queue.expired")] == [{"queue": "q", "messages": 2}]


def test_each_queue_has_its_own_time(world: World) -> None:
    declare(world, "slow", 30)
    declare(world, "quick", 1)
    declare(world, "middling", 10)
    world.node.queue("lasting")
    assert left(world, 0.5) == ["lasting", "middling", "quick", "slow"]
    assert left(world, 0.5) == ["lasting", "middling", "slow"]
    assert left(world, 10) == ["lasting", "slow"]
    assert left(world, 1000) == ["lasting"]


def test_the_time_counts_from_when_the_last_consumer_left(world: World) -> None:
    queue = declare(world)
    sessions = [world.session(), world.session()]
    for session in sessions:
        world.consume(queue, session=session)
    assert left(world, 1000) == ["q"]
    sessions[0].close()
    assert left(world, 9) == ["q"]
    assert left(world, 9) == ["q"]
    sessions[1].close()
    assert left(world, 9.5) == ["q"]
    assert left(world, 0.5) == []


def test_to_browse_is_to_use(world: World) -> None:
    queue = declare(world)
    assert left(world, 9) == ["q"]
    Browser(queue)
    assert left(world, 9) == ["q"]
    assert left(world, 1) == []


def test_what_a_transaction_has_acknowledged_keeps_its_queue(world: World) -> None:
    queue = declare(world)
    session = world.session()
    world.publish(queue, "a")
    _, subscription = world.consume(queue, session=session)
    session.begin("t")
    session.transaction("t").acknowledge(subscription.consumer, [1])
    session.unsubscribe(subscription)
    assert left(world, 100) == ["q"]
    session.commit("t")
    assert left(world, 9) == ["q"]
    assert left(world, 1) == []


def test_another_time_counts_from_the_last_use_too(world: World) -> None:
    queue = declare(world, seconds=100)
    assert left(world, 5) == ["q"]
    queue.apply(QueueOptions(expires_ms=8000))
    assert left(world, 2) == ["q"]
    queue.apply(QueueOptions(expires_ms=20_000))
    assert left(world, 12) == ["q"]
    assert left(world, 1) == []


def test_a_queue_that_loses_the_option_stays(world: World) -> None:
    queue = declare(world)
    queue.apply(QueueOptions())
    assert left(world, 100) == ["q"]


def test_a_queue_of_the_same_name_has_a_time_of_its_own(world: World) -> None:
    declare(world)
    assert left(world, 5) == ["q"]
    world.node.delete_queue("q")
    declare(world)
    assert left(world, 5) == ["q"]
    assert left(world, 5) == []


def test_of_very_many_some_go_at_each_look(world: World) -> None:
    for number in range(300):
        declare(world, f"q{number}", 1)
    remaining = len(left(world, 1))
    assert 0 < remaining < 300
    assert left(world, 1) == []


@pytest.fixture
def governed() -> World:
    return World(policies={"short": Policy("tmp.*", expires_ms=1000)})


def test_a_policy_says_so_too(governed: World) -> None:
    governed.node.queue("tmp.a")
    governed.node.queue("b")
    assert left(governed, 1) == ["b"]
