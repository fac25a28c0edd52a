"""Queues: statistics that add up, purging, messages with an id, and queues in memory."""

from __future__ import annotations

import gc

import pytest

from segue.broker.errors import LimitReachedError
from segue.broker.queue import Queue
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
    queue.dispatcher.resume(subscription.consumer)
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
    assert [queue.publish_once(one, record(one)) for one in "aba"] == [True, True, False]
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
