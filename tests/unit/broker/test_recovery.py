"""What a node makes of the logs that a store has recovered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segue.broker.node import Node
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from segue.broker.settings import Policy
from segue.broker.users import Users
from tests.helpers.recorded_log import RecordedLog
from tests.unit.broker.actors import FakeSink, World, record


def test_queues_subscriptions_and_bindings_are_taken_up_from_the_store(world: World) -> None:
    kept = world.node.declare_queue("kept")
    passing = world.node.declare_queue("passing", auto_delete=True)
    world.node.bind(kept, "t.*")
    world.session().subscribe_durable("d", "t.#", FakeSink(), prefetch=1, settles=True)
    world.settle_down()
    again = Node(world.store, world.settings, world.clock, RecordedLog(), Users({}))
    assert set(again.queues) == {"kept", "passing"}
    assert again.queue("passing").auto_delete
    assert not again.queue("kept").auto_delete
    again.topic("t.x").publish(record("a"))
    again.store.want()
    again.end_step()
    world.store.sync_all()
    assert again.queue("kept").statistics().ready == 1
    (durable,) = again.topics.durables()
    assert (durable.name, durable.pattern, durable.cursor.ready) == ("d", "t.#", 1)
    assert passing.log is again.queue("passing").log


def used(world: World, name: str) -> Queue:
    """A queue that had a message with a deadline, one of a group, and one that was put off; one is left in it."""
    queue = world.node.queue(name)
    queue.note_expiring()
    queue.note_grouped()
    queue.open_redelivery()
    queue.note_put_off()
    world.publish(queue, "a")
    return queue


def drain(world: World, queue: Queue) -> None:
    sink, subscription = world.consume(queue)
    world.acknowledge(subscription.consumer, *[one.seq for one in sink.take()])


def features(queue: Queue) -> list[object]:
    dispatcher = queue.dispatcher
    return [one for one in (dispatcher.expiry, dispatcher.look_ahead, dispatcher.redelivery) if one is not None]


def test_an_empty_queue_is_as_if_its_messages_had_never_had_any_features(world: World) -> None:
    drain(world, used(world, "q"))
    world.restart()
    queue = world.node.queues["q"]
    assert queue.definition.keys().isdisjoint({"expiring", "grouped", "puts_off"})
    assert features(queue) == []
    queue.note_expiring()
    assert len(features(queue)) == 1


@pytest.mark.parametrize("why", ["one is left", "one is out", "one of another level is left", "a topic sends to it"])
def test_a_queue_that_may_have_such_messages_is_marked_as_before(world: World, why: str) -> None:
    queue = used(world, "q")
    if why == "one is out":
        world.consume(queue)
    elif why == "one of another level is left":
        queue.apply(QueueOptions(priority_max=9))
        drain(world, queue)
        queue.publish(record("b", b"priority:9\n\n"))
    elif why == "a topic sends to it":
        drain(world, queue)
        world.node.bind(queue, "t.*")
    world.restart()
    assert len(features(world.node.queues["q"])) == 3


def test_queues_that_are_there_at_the_start_follow_the_policies_of_this_start() -> None:
    world = World(policies={"all": Policy("*", delivery_limit=9, message_ttl_ms=5)})
    world.node.declare_queue("q", options=QueueOptions(dead_letter="dead"))
    settings = replace(world.settings, policies={"q only": Policy("q", messages_max=1)})
    world.publish(world.node.queue("q"), "a", "b")
    again = Node(world.store, settings, world.clock, world.log, world.node.users)
    queue = again.queues["q"]
    assert queue.options == QueueOptions(dead_letter="dead", messages_max=1)
    assert queue.dispatcher.expiry is None
    again.end_step()
    world.store.sync_all()
    assert (queue.statistics().ready, again.queues["dead"].statistics().published) == (1, 1)
