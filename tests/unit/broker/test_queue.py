"""Queues: statistics that add up, purging, messages with an id, and queues in memory."""

from __future__ import annotations

import gc

import pytest

from segue.broker.deduplication import Acceptance, DeduplicationId
from segue.broker.errors import LimitReachedError
from segue.broker.queue import Queue
from segue.broker.queue_options import DROP_OLDEST, NO_OPTIONS, REFUSE, QueueOptions
from tests.unit.broker.actors import FakeSink, World, record


def test_statistics_tell_what_became_of_every_message(world: World, queue: Queue) -> None:
    world.publish(queue, *"abcdefgh")
    sink, subscription = world.consume(queue, prefetch=4)
    sink.blocked = True
    world.acknowledge(subscription.consumer, 1)
    world.give_back(subscription.consumer, 3)
    queue.publish(record("not on disk yet"))
    found = queue.statistics()
    assert (found.name, found.kind, found.consumers, found.paused) == ("q", "queue", 1, False)
    assert (found.published, found.settled, found.in_flight, found.ready, found.returned) == (9, 1, 2, 5, 1)
    assert (found.delivered, found.acknowledged) == (4, 1)
    assert found.settled + found.in_flight + found.ready == 8


@pytest.mark.parametrize("spilled", [False, True])
def test_bytes_are_those_of_the_records_and_in_memory_what_these_take_there(
    world: World, queue: Queue, spilled: bool
) -> None:
    world.publish(queue, *["x" * 100] * 10)
    if spilled:
        world.store.spill(queue.log)
    found = queue.statistics()
    size = 10 * len(record("x" * 100))
    assert found.bytes == size if spilled else size < found.bytes <= size + 10 * 256
    assert found.segments == (1 if spilled else 0)


def test_the_oldest_message_is_the_oldest_that_is_still_owed(world: World, queue: Queue) -> None:
    assert queue.statistics().oldest_ms == 0
    world.publish(queue, *"ab")
    assert queue.statistics().oldest_ms == 1_000
    sink, subscription = world.consume(queue)
    assert queue.statistics().oldest_ms == 1_000  # what is out is owed
    world.acknowledge(subscription.consumer, *[one.seq for one in sink.take()])
    assert queue.statistics().oldest_ms == 0


def test_a_purge_takes_what_is_ready_and_leaves_what_is_out(world: World, queue: Queue) -> None:
    world.publish(queue, *"abcdef")
    sink, subscription = world.consume(queue, prefetch=3)
    sink.blocked = True
    world.give_back(subscription.consumer, 2)
    assert queue.purge() == 4
    world.settle_down()
    found = queue.statistics()
    assert (found.ready, found.in_flight, found.settled) == (0, 2, 4)
    sink.blocked = False
    world.publish(queue, "g")
    queue.dispatcher.queue_up(subscription.consumer)
    queue.dispatcher.dispatch()
    assert sink.bodies()[-1] == "g"


def test_a_purged_message_never_comes_again_though_it_was_on_its_way_from_disk(world: World, queue: Queue) -> None:
    world.publish(queue, *"abc")
    world.store.spill(queue.log)
    sink, _ = world.consume(queue, prefetch=1)
    sink.take()
    world.publish(queue, "d")
    queue.purge()
    world.settle_down()
    assert sink.take() == []
    assert queue.purge() == 0


def test_an_id_is_taken_once(world: World, queue: Queue) -> None:
    """FAULTS 33."""
    answers = [queue.publish_once(DeduplicationId(one), record(one)) for one in "aba"]
    assert answers == [Acceptance(1, False), Acceptance(2, False), Acceptance(1, True)]
    world.settle_down()
    assert queue.log.head == 3


@pytest.mark.parametrize(("messages_max", "bytes_max"), [(3, 1 << 20), (1000, 1000)])
def test_a_temporary_queue_that_is_full_refuses_and_stays_as_it_was(messages_max: int, bytes_max: int) -> None:
    world = World(temporary_queue_messages_max=messages_max, temporary_queue_bytes_max=bytes_max)
    session = world.session()
    queue = session.temporary_queue("t")
    taken = 3 if messages_max == 3 else 2
    for _ in range(taken):
        queue.publish(record("x" * 100))
    with pytest.raises(LimitReachedError, match="full"):
        queue.publish(record("x" * 400))
    world.settle_down()
    sink, subscription = world.consume(queue, session=session)
    assert len(sink.deliveries) == taken
    world.acknowledge(subscription.consumer, *[one.seq for one in sink.take()])
    queue.publish(record("x" * 10_000))  # a single message always fits
    world.settle_down()
    assert len(sink.take()) == 1


def test_a_purge_of_a_temporary_queue_gives_its_memory_back(world: World) -> None:
    queue = world.session().temporary_queue("t")
    world.publish(queue, *"abc")
    assert queue.purge() == 3
    assert world.node.pressure.buffer_bytes == world.store.hot_bytes == 0


def test_queues_in_memory_that_are_gone_are_freed_without_the_garbage_collector(world: World) -> None:
    session = world.session()
    sink = FakeSink(blocked=True)
    session.subscribe_topic("news", sink, prefetch=10, settles=True)
    world.node.topic("news").publish(record("x"))
    world.publish(session.temporary_queue("t"), "y")
    gc.collect()
    gc.disable()
    try:
        session.close()
        del session, sink
        world.settle_down()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_paused_queue_takes_messages_and_delivers_them_when_it_is_resumed(world: World, queue: Queue) -> None:
    sink, subscription = world.consume(queue)
    queue.pause()
    world.publish(queue, "a", "b")
    assert sink.bodies() == []
    assert queue.definition["paused"]
    queue.resume()
    world.settle_down()
    assert sink.bodies() == ["a", "b"]
    assert not queue.definition["paused"]
    world.acknowledge(subscription.consumer, 1)


def test_to_pause_twice_is_to_pause(world: World, queue: Queue) -> None:
    queue.pause()
    world.settle_down()
    queue.pause()
    assert world.store.batch.definitions == []


# Options that change while messages are there ----------------------------------------------------------------------


def test_a_new_limit_on_deliveries_holds_for_what_comes_back_from_then_on(world: World, queue: Queue) -> None:
    world.publish(queue, "a")
    sink, subscription = world.consume(queue)
    for _ in range(3):
        world.give_back(subscription.consumer, 1)
    queue.apply(QueueOptions(dead_letter="dead", delivery_limit=2))
    world.give_back(subscription.consumer, 1)
    assert [delivery.deliveries for delivery in sink.take()] == [1, 2, 3, 4]
    assert (queue.statistics().dead_lettered, world.node.queue("dead").statistics().ready) == (1, 1)


def test_what_waits_and_has_had_the_deliveries_of_a_new_limit_is_a_dead_letter(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b")
    sink, subscription = world.consume(queue, prefetch=1)
    world.give_back(subscription.consumer, 1)
    assert [delivery.deliveries for delivery in sink.take()] == [1, 2]
    world.node.sessions[subscription.consumer.session_id].close()
    queue.apply(QueueOptions(delivery_limit=2))
    world.settle_down()
    again, _ = world.consume(queue)
    assert (again.bodies(), queue.statistics().discarded) == (["b"], 1)


def test_without_the_limit_messages_come_back_for_ever_again(world: World, queue: Queue) -> None:
    queue.apply(QueueOptions(delivery_limit=1))
    world.publish(queue, "a")
    sink, subscription = world.consume(queue)
    queue.apply(NO_OPTIONS)
    world.give_back(subscription.consumer, 1)
    assert sink.bodies() == ["a", "a"]


def test_what_waits_to_be_buried_goes_where_the_options_say_then() -> None:
    world = World(queues_max=2)
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="no room"))
    other = world.node.queue("other")
    world.publish(queue, "a")
    _, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, [1])
    world.settle_down()
    assert queue.cursor.condemned
    queue.apply(QueueOptions(dead_letter="other"))
    world.settle_down()
    assert (other.statistics().ready, queue.statistics().dead_lettered) == (1, 1)


def test_without_a_dead_letter_queue_any_more_what_waits_to_be_buried_is_given_up() -> None:
    world = World(queues_max=1)
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="no room"))
    world.publish(queue, "a")
    _, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, [1])
    world.settle_down()
    queue.apply(NO_OPTIONS)
    world.settle_down()
    assert (queue.statistics().discarded, len(queue.cursor.condemned)) == (1, 0)


def test_a_new_time_to_live_holds_for_messages_that_are_there(world: World, queue: Queue) -> None:
    world.publish(queue, *"abc")
    queue.apply(QueueOptions(message_ttl_ms=0))
    world.node.sweep()
    world.settle_down()
    assert (queue.statistics().expired, queue.statistics().ready) == (3, 0)


def test_without_a_time_to_live_nothing_expires_though_a_sweep_was_under_way(world: World, queue: Queue) -> None:
    world.publish(queue, *"abc")
    world.store.spill(queue.log)
    queue.apply(QueueOptions(message_ttl_ms=0))
    world.node.sweep()
    assert queue.dispatcher.sweeping
    queue.apply(NO_OPTIONS)
    world.clock.advance(3600)
    world.node.sweep()
    world.settle_down()
    sink, _ = world.consume(queue)
    assert sink.bodies() == ["a", "b", "c"]
    assert queue.statistics().expired == 0


def test_deadlines_of_messages_hold_whatever_the_options_are(world: World, queue: Queue) -> None:
    queue.note_expiring()
    queue.apply(QueueOptions(message_ttl_ms=1))
    queue.apply(NO_OPTIONS)
    assert queue.dispatcher.expiry is not None
    world.publish(queue, "a")
    sink, _ = world.consume(queue)
    assert sink.bodies() == ["a"]


def test_a_new_bound_holds_for_messages_that_are_there(world: World, queue: Queue) -> None:
    world.publish(queue, *"abcde")
    queue.apply(QueueOptions(messages_max=2))
    world.settle_down()
    sink, _ = world.consume(queue)
    assert (sink.bodies(), queue.statistics().dropped) == (["d", "e"], 3)


def test_what_happens_at_a_bound_can_change(world: World, queue: Queue) -> None:
    world.publish(queue, *"ab")
    queue.apply(QueueOptions(messages_max=2, overflow=REFUSE))
    with pytest.raises(LimitReachedError, match="full"):
        queue.publish(record("c"))
    queue.apply(QueueOptions(messages_max=2, overflow=DROP_OLDEST))
    world.publish(queue, "c")
    assert (queue.statistics().ready, queue.statistics().dropped) == (2, 1)
    queue.apply(NO_OPTIONS)
    world.publish(queue, "d")
    assert queue.statistics().ready == 3
    queue.apply(QueueOptions(messages_max=2))
    queue.apply(QueueOptions(messages_max=2, overflow=REFUSE))
    queue.dispatcher.dispatch()
    assert queue.statistics().ready == 3


def test_what_is_applied_is_not_declared() -> None:
    world = World()
    queue = world.node.declare_queue("q", options=QueueOptions(delivery_limit=3, overflow=DROP_OLDEST))
    queue.apply(QueueOptions(delivery_limit=1))
    assert queue.declared == {"delivery_limit": 3, "overflow": DROP_OLDEST}
    assert queue.definition["options"] == queue.declared
