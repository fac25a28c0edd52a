"""Queues that get priorities, lose them, or are started and deleted with them."""

from __future__ import annotations

import pytest

from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from tests.unit.broker.actors import World
from tests.unit.broker.leveled import IN_ORDER, MIXED, declare, message, publish


@pytest.fixture
def queue(world: World) -> Queue:
    return declare(world)


def test_a_queue_gets_priorities_with_consumers_and_with_the_messages_that_are_there(world: World) -> None:
    queue = world.node.queue("q")
    first, *_ = publish(world, queue, ("a", 9), ("b", 0), ("c", None))
    sink, subscription = world.consume(queue, prefetch=2)
    assert sink.bodies() == ["a", "b"]
    queue.apply(QueueOptions(priority_max=9))
    publish(world, queue, ("d", 9), ("e", 1), ("f", None))
    world.give_back(subscription.consumer, first)
    assert sink.bodies() == ["d"]
    assert queue.statistics().in_flight == 2
    world.node.sessions[subscription.consumer.session_id].close()
    assert world.consume(queue)[0].bodies() == ["d", "a", "b", "c", "f", "e"]


def test_without_priorities_again_what_was_sorted_goes_first_and_the_rest_in_order(world: World, queue: Queue) -> None:
    publish(world, queue, ("a", 0), ("b", None), ("c", 9))
    queue.apply(QueueOptions())
    publish(world, queue, ("d", 9), ("e", 0))
    assert world.consume(queue)[0].bodies() == ["c", "a", "b", "d", "e"]


def test_other_priorities_leave_messages_where_they_are(world: World, queue: Queue) -> None:
    publish(world, queue, ("a", 9), ("b", 4), ("c", 1))
    queue.apply(QueueOptions(priority_max=2))
    publish(world, queue, ("d", 9), ("e", 1), ("f", 0))
    assert world.consume(queue)[0].bodies() == ["a", "d", "b", "e", "c", "f"]


def test_a_start_takes_up_the_levels(world: World, queue: Queue) -> None:
    publish(world, queue, *MIXED)
    world.restart()
    taken_up = world.node.queues["q"]
    assert len(world.store.logs) == 4
    assert world.consume(taken_up)[0].bodies() == IN_ORDER
    assert taken_up.statistics().published == 7


def test_a_start_without_the_priorities_drains_the_levels(world: World) -> None:
    queue = world.node.queue("q")
    queue.apply(QueueOptions(priority_max=9))
    publish(world, queue, ("a", 0), ("b", None), ("c", 9))
    world.restart()
    queue = world.node.queues["q"]
    publish(world, queue, ("d", 9))
    assert world.consume(queue)[0].bodies() == ["c", "a", "b", "d"]


def test_the_numbers_of_a_level_go_on_after_the_priorities_were_away(world: World) -> None:
    """Clients know messages by their numbers, so that none may come again."""
    queue = world.node.queue("q")
    queue.apply(QueueOptions(priority_max=9))
    (first,) = publish(world, queue, ("a", 9))
    world.consume(queue, settles=False)
    world.restart()
    world.restart()
    queue = world.node.queues["q"]
    queue.apply(QueueOptions(priority_max=9))
    assert publish(world, queue, ("b", 9)) == [first + 1]


def test_a_level_whose_queue_is_lost_has_it_again(world: World, queue: Queue) -> None:
    """A salvage may have brought along no more than that."""
    publish(world, queue, ("a", 0), ("b", 9))
    world.store.drop_log(queue.log)
    world.restart()
    assert world.consume(world.node.queues["q"])[0].bodies() == ["b", "a"]


def test_a_queue_that_is_deleted_takes_its_levels_along_in_the_same_write(world: World, queue: Queue) -> None:
    publish(world, queue, *MIXED)
    world.node.bind(queue, "t")
    assert world.node.delete_queue("q") == 7
    assert world.store.logs == {}
    assert len(world.store.batch.drops) == 4
    world.node.topic("t").publish(message("x", 9))
    world.settle_down()
    assert world.store.logs == {}


def test_levels_of_a_queue_that_does_not_survive_a_restart_do_not_either(world: World) -> None:
    queue = world.node.declare_queue("q", durable=False, options=QueueOptions(priority_max=9))
    publish(world, queue, *MIXED)
    world.restart()
    assert world.store.logs == {}
    assert world.node.queues == {}
