"""A consumer's credit, its window in octets, and what is out with it."""

from __future__ import annotations

import pytest

from segue.broker.consumer import UNLIMITED, Consumer
from segue.broker.errors import NotHeldError
from segue.broker.queue import Queue
from tests.unit.broker.actors import FakeSink, World, record


def out(consumer: Consumer) -> list[int]:
    return list(consumer.unacknowledged)


# Credit -----------------------------------------------------------------------------------------------------------


def test_a_consumer_gets_as_many_messages_as_its_credit_allows(world: World, queue: Queue) -> None:
    world.publish(queue, *"abcde")
    sink, subscription = world.consume(queue, prefetch=3)
    assert sink.bodies() == ["a", "b", "c"]
    assert subscription.consumer.credit == 0
    assert queue.statistics().ready == 2


def test_an_acknowledgement_brings_one_credit_back(world: World, queue: Queue) -> None:
    world.publish(queue, *"abcde")
    sink, subscription = world.consume(queue, prefetch=2)
    sink.take()
    subscription.consumer.acknowledge(1)
    assert subscription.consumer.credit == 0  # it comes with `settle`, once for all of a read
    subscription.consumer.settle()
    world.settle_down()
    assert sink.bodies() == ["c"]
    assert out(subscription.consumer) == [2, 3]


def test_settling_nothing_changes_nothing(world: World, queue: Queue) -> None:
    world.publish(queue, *"ab")
    sink, subscription = world.consume(queue, prefetch=1)
    subscription.consumer.settle()
    world.settle_down()
    assert sink.bodies() == ["a"]
    assert subscription.consumer.credit == 0


def test_a_consumer_that_acknowledges_nothing_has_all_the_credit_there_is(world: World, queue: Queue) -> None:
    world.publish(queue, *"abc")
    sink, subscription = world.consume(queue, prefetch=1, settles=False)
    consumer = subscription.consumer
    assert sink.bodies() == ["a", "b", "c"]
    assert consumer.credit == UNLIMITED - 3
    consumer.sent(2)
    assert out(consumer) == [3]
    assert consumer.credit == UNLIMITED - 1
    consumer.sent(1)
    world.settle_down()
    assert (queue.statistics().settled, queue.statistics().in_flight) == (3, 0)


def test_a_full_output_buffer_stops_deliveries_whatever_the_credit(world: World, queue: Queue) -> None:
    sink, subscription = world.consume(queue)
    sink.blocked = True
    world.publish(queue, *"ab")
    assert sink.take() == []
    sink.blocked = False
    queue.dispatcher.queue_up(subscription.consumer)
    queue.dispatcher.dispatch()
    assert sink.bodies() == ["a", "b"]


# Acknowledgements ---------------------------------------------------------------------------------------------------


def test_a_message_can_be_acknowledged_once(world: World, queue: Queue) -> None:
    world.publish(queue, "a")
    _, subscription = world.consume(queue)
    subscription.consumer.acknowledge(1)
    with pytest.raises(NotHeldError):
        subscription.consumer.acknowledge(1)


@pytest.mark.parametrize("seq", [0, 2, -1, 1 << 70])
def test_a_message_that_is_not_out_with_it_cannot_be_acknowledged(world: World, queue: Queue, seq: int) -> None:
    """FAULTS 38."""
    world.publish(queue, "a")
    _, subscription = world.consume(queue)
    consumer = subscription.consumer
    for acknowledge in (consumer.acknowledge, consumer.just, consumer.up_to, lambda one: consumer.take_out([1, one])):
        with pytest.raises(NotHeldError):
            acknowledge(seq)
    assert out(consumer) == [1]


def test_an_earlier_delivery_of_a_message_can_no_longer_be_acknowledged(world: World, queue: Queue) -> None:
    world.publish(queue, "a")
    sink, subscription = world.consume(queue)
    consumer = subscription.consumer
    world.give_back(consumer, 1)
    world.settle_down()
    assert [delivery.deliveries for delivery in sink.take()] == [1, 2]
    for call in (consumer.acknowledge, consumer.just, consumer.up_to):
        with pytest.raises(NotHeldError):
            call(1, 1)
    assert consumer.just(1, 2) == consumer.just(1, 0) == consumer.up_to(1, 2) == [1]
    consumer.acknowledge(1, 2)


def test_a_cumulative_acknowledgement_covers_what_was_delivered_before(world: World, queue: Queue) -> None:
    world.publish(queue, *"abcd")
    _, subscription = world.consume(queue)
    consumer = subscription.consumer
    consumer.acknowledge(1)
    assert consumer.up_to(3) == [2, 3]
    consumer.acknowledge_all(consumer.up_to(3))
    consumer.settle()
    assert out(consumer) == [4]
    assert consumer.credit == consumer.prefetch - 1


def test_order_and_holder_stay_as_they_are_through_thousands_of_cumulative_acknowledgements(
    world: World, queue: Queue
) -> None:
    world.publish(queue, *map(str, range(2000)))
    _, subscription = world.consume(queue, prefetch=2000)
    consumer = subscription.consumer
    (held,) = queue.cursor.out
    for seq in range(1, 1500):
        consumer.acknowledge_all(consumer.up_to(seq))
        consumer.settle()
    assert consumer.unacknowledged is held
    assert list(held) == list(range(1500, 2001))
    consumer.acknowledge_all(consumer.up_to(2000))
    assert not held


def test_a_message_that_was_delivered_again_counts_as_delivered_last(world: World, queue: Queue) -> None:
    world.publish(queue, *"abc")
    _, subscription = world.consume(queue)
    consumer = subscription.consumer
    world.give_back(consumer, 1)
    world.settle_down()
    assert consumer.up_to(3) == [2, 3]
    assert consumer.up_to(1) == [2, 3, 1]


# A window in octets -------------------------------------------------------------------------------------------------


def test_a_window_is_full_when_its_octets_are_out(world: World, queue: Queue) -> None:
    size = len(record("x" * 100))
    world.publish(queue, *["x" * 100] * 5)
    sink, subscription = world.consume(queue, window_bytes=2 * size)
    assert len(sink.take()) == 2
    subscription.consumer.acknowledge(1)
    subscription.consumer.settle()
    world.settle_down()
    assert len(sink.take()) == 1


def test_a_message_larger_than_the_window_is_delivered_alone(world: World, queue: Queue) -> None:
    world.publish(queue, "x" * 1000, "y")
    sink, subscription = world.consume(queue, window_bytes=10)
    assert [delivery.seq for delivery in sink.take()] == [1]
    subscription.consumer.acknowledge(1)
    subscription.consumer.settle()
    world.settle_down()
    assert [delivery.seq for delivery in sink.take()] == [2]


@pytest.mark.parametrize("way", ["return", "commit", "abort", "reject"])
def test_octets_come_back_whatever_becomes_of_the_message(world: World, queue: Queue, way: str) -> None:
    world.publish(queue, *["x" * 100] * 3)
    session = world.session()
    sink, subscription = world.consume(queue, window_bytes=1, session=session)
    consumer = subscription.consumer
    for _ in range(4):
        assert len(sink.take()) == 1
        seq = out(consumer)[0]
        if way == "return":
            world.give_back(consumer, seq)
        else:
            session.begin("t")
            transaction = session.transaction("t")
            (transaction.reject if way == "reject" else transaction.acknowledge)(consumer, [seq])
            assert not consumer.able
            if way == "abort":
                session.abort("t")
                consumer.acknowledge(seq)
                consumer.settle()
            else:
                session.commit("t")
        world.settle_down()
        if way in ("commit", "abort") and not consumer.unacknowledged:
            break
    assert len(consumer.unacknowledged) == len(sink.deliveries)
    if not consumer.unacknowledged:
        assert consumer.able


def test_without_a_window_no_octets_are_counted(world: World, queue: Queue) -> None:
    sink = FakeSink()
    consumer = queue.dispatcher.add(sink, prefetch=1, settles=True, session_id=1)
    assert not consumer.counts_bytes
    assert consumer.able
