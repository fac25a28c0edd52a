"""What all queues remember together: bounded in memory, gone with its queue."""

from __future__ import annotations

import pytest

from segue.broker.deduplication import COMPANION_KIND, DeduplicationId, ProducerNumber
from segue.broker.errors import LimitReachedError
from tests.unit.broker.actors import World, record
from tests.unit.broker.deduplication.actors import Publisher, publish


def kinds(world: World) -> list[str]:
    return [str(log.definition.get("kind")) for log in world.store.logs.values()]


def test_a_deleted_queue_takes_what_it_remembers_with_it(world: World) -> None:
    queue = world.node.queue("q")
    queue.publish_once(DeduplicationId("a"), record("a"))
    queue.publish_once(ProducerNumber("p", 1), record("a"))
    world.settle_down()
    assert kinds(world).count(COMPANION_KIND) == 2
    world.node.delete_queue("q")
    world.settle_down()
    assert kinds(world) == []
    assert world.node.deduplication.bytes == 0
    assert publish(world, world.node.queue("q"), "a") == [False]


def test_what_is_left_of_a_queue_that_is_gone_goes_at_the_start(world: World) -> None:
    publish(world, world.node.queue("q"), "a")
    world.store.drop_log(world.node.queues["q"].log)
    world.restart()
    assert kinds(world) == []


def test_what_a_queue_remembers_that_does_not_survive_does_not_either(world: World) -> None:
    publish(world, world.node.declare_queue("q", durable=False), "a")
    world.restart()
    assert kinds(world) == []


def test_short_of_memory_only_filters_are_kept_and_repeats_are_found_on_disk() -> None:
    world = World(memory={"deduplication_bytes_max": 200_000})
    queue = world.node.queue("q")
    ids = [f"{number}" for number in range(2000)]
    for first in range(0, 2000, 100):
        publish(world, queue, *ids[first : first + 100])
    other = Publisher(world, queue)
    other.send(*(DeduplicationId(one) for one in ids))
    world.settle_down()
    assert [answer.seq for answer in other.answers] == list(range(1, 2001))
    assert all(answer.repeat for answer in other.answers)
    assert other.waits > 0


def test_new_ids_are_refused_when_even_filters_are_too_much_and_repeats_are_not() -> None:
    world = World(memory={"deduplication_bytes_max": 1000})
    queue = world.node.queue("q")
    assert publish(world, queue, *(f"{number}" for number in range(100))) == [False] * 100
    with pytest.raises(LimitReachedError, match="deduplication_bytes_max"):
        queue.publish_once(DeduplicationId("new"), record("x"))
    assert publish(world, queue, "7") == [True]
    assert queue.log.head == 101
    world.clock.advance(601)
    world.node.deduplication.forget()
    assert publish(world, queue, "new") == [False]
