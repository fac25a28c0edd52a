"""What a node makes of the logs that a store has recovered."""

from __future__ import annotations

from dataclasses import replace

from segue.broker.node import Node
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
