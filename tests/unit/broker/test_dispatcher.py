"""The dispatcher: who gets what, in which order, and how much is out at a time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from segue.broker.queue import Queue
from tests.unit.broker.actors import FakeSink, World

# Order --------------------------------------------------------------------------------------------------------------


def test_messages_go_out_in_the_order_of_acceptance(world: World, queue: Queue) -> None:
    sink, _ = world.consume(queue)
    world.publish(queue, *"abc")
    world.publish(queue, *"de")
    assert [(one.seq, one.body) for one in sink.take()] == list(enumerate("abcde", 1))


def test_a_returned_message_goes_out_before_newer_ones_and_the_lowest_first(world: World, queue: Queue) -> None:
    world.publish(queue, *"abcde")
    sink, subscription = world.consume(queue, prefetch=3)
    sink.take()
    sink.blocked = True
    world.give_back(subscription.consumer, 3, 1)
    assert queue.statistics().returned == 2
    sink.blocked = False
    queue.dispatcher.queue_up(subscription.consumer)
    queue.dispatcher.dispatch()
    assert [(one.body, one.deliveries, one.redelivered) for one in sink.take()] == [("a", 2, True), ("c", 2, True)]
    world.acknowledge(subscription.consumer, 2)
    assert sink.bodies() == ["d"]


def test_a_returned_message_that_is_read_from_disk_is_overtaken_by_nobody(world: World, queue: Queue) -> None:
    world.publish(queue, *"abc")
    sink, subscription = world.consume(queue, prefetch=2)
    sink.take()
    sink.blocked = True
    world.give_back(subscription.consumer, 1)
    world.store.spill(queue.log)
    world.publish(queue, "d")
    sink.blocked = False
    queue.dispatcher.queue_up(subscription.consumer)
    queue.dispatcher.dispatch()
    assert sink.take() == []
    world.store.read()
    assert sink.bodies() == ["a"]


def test_a_message_may_return_any_number_of_times_and_its_deliveries_are_counted(world: World, queue: Queue) -> None:
    world.publish(queue, "a")
    sink, subscription = world.consume(queue)
    for _ in range(4):
        world.give_back(subscription.consumer, 1)
    assert [one.deliveries for one in sink.take()] == [1, 2, 3, 4, 5]


def test_what_comes_from_disk_comes_in_its_order_too(world: World, queue: Queue) -> None:
    world.publish(queue, *map(str, range(300)))
    world.store.spill(queue.log)
    world.publish(queue, *map(str, range(300, 400)))
    sink, subscription = world.consume(queue, prefetch=7)
    found = []
    while taken := sink.take():
        found += [one.body for one in taken]
        world.acknowledge(subscription.consumer, *[one.seq for one in taken])
    assert found == [str(number) for number in range(400)]


def test_what_may_have_been_out_before_a_crash_says_so(world: World, queue: Queue) -> None:
    world.publish(queue, *"abcd")
    queue.log.cursors[0].maybe = 3
    sink, subscription = world.consume(queue)
    assert [(one.redelivered, one.deliveries) for one in sink.take()] == [(True, 1), (True, 1), (False, 1), (False, 1)]
    assert subscription.consumer.credit == 96


def test_what_stands_between_gaps_goes_out_together_as_far_as_the_credit_allows(world: World, queue: Queue) -> None:
    world.publish(queue, *"abcdefghi")
    cursor = queue.log.cursors[0]
    cursor.settle_ahead([2, 4, 5])
    cursor.maybe = 4
    sink, subscription = world.consume(queue, prefetch=3)
    assert [(one.seq, one.body, one.redelivered) for one in sink.take()] == [
        (1, "a", True), (3, "c", True), (6, "f", False),
    ]  # fmt: skip
    world.acknowledge(subscription.consumer, 1, 3)
    assert sink.bodies() == ["g", "h"]
    assert queue.statistics().in_flight == 3


# Many consumers -----------------------------------------------------------------------------------------------------


def test_competing_consumers_share_what_there_is(world: World, queue: Queue) -> None:
    consumers = [world.consume(queue) for _ in range(3)]
    world.publish(queue, *map(str, range(30)))
    shares = [sink.bodies() for sink, _ in consumers]
    assert sorted(int(body) for share in shares for body in share) == list(range(30))
    assert all(len(share) >= 30 // 5 for share in shares)
    assert all(share == sorted(share, key=int) for share in shares)


def test_a_consumer_that_can_take_nothing_is_passed_by(world: World, queue: Queue) -> None:
    full, _ = world.consume(queue, prefetch=1)
    blocked, _ = world.consume(queue)
    sound, _ = world.consume(queue)
    blocked.blocked = True
    world.publish(queue, *"abcd")
    assert (len(full.take()), len(blocked.take()), len(sound.take())) == (1, 0, 3)


def test_a_message_that_one_consumer_returns_goes_to_another(world: World, queue: Queue) -> None:
    first, subscription = world.consume(queue, prefetch=1)
    world.publish(queue, "a")
    second, _ = world.consume(queue)
    first.blocked = True
    world.give_back(subscription.consumer, 1)
    assert [(one.body, one.deliveries) for one in second.take()] == [("a", 2)]


def test_a_consumer_that_leaves_returns_what_it_holds_and_gets_nothing_more(world: World, queue: Queue) -> None:
    """FAULTS 35."""
    world.publish(queue, *"abc")
    session = world.session()
    first, subscription = world.consume(queue, prefetch=2, session=session)
    second, _ = world.consume(queue)
    assert (first.bodies(), second.bodies()) == (["a", "b"], ["c"])
    subscription.consumer.acknowledge(1)  # it was about to be settled
    session.unsubscribe(subscription)
    world.settle_down()
    assert [(one.body, one.deliveries) for one in second.take()] == [("b", 2)]
    assert first.take() == []
    statistics = queue.statistics()
    assert (statistics.settled, statistics.in_flight, statistics.consumers) == (1, 2, 1)
    assert queue.cursor.out == [queue.dispatcher.consumers[0].unacknowledged]


def test_a_consumer_whose_sink_fails_does_not_keep_others_from_their_messages(world: World, queue: Queue) -> None:
    session = world.session()

    class Broken(FakeSink):
        def deliver(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
            raise ValueError("can't be written")

        def deliver_again(self, seq: int, record: bytes, deliveries: int) -> None:
            raise ValueError("can't be written")

        def failed(self, error: Exception) -> None:
            super().failed(error)
            session.close()

    broken = Broken()
    session.subscribe_queue(queue, broken, prefetch=2, settles=True)
    sound, _ = world.consume(queue)
    world.publish(queue, *"abcd")
    assert broken.reasons == ["failed: can't be written"]
    assert sorted(sound.bodies()) == list("abcd")
    session = world.session()
    world.give_back(queue.dispatcher.consumers[0], 1)
    sound.take()
    sound.blocked = True
    world.give_back(queue.dispatcher.consumers[0], 2)
    session.subscribe_queue(queue, broken, prefetch=2, settles=True)
    world.settle_down()
    assert len(broken.reasons) == 2
    assert queue.statistics().returned == 1


# Limits and pauses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("consumers", [1, 2, 5])
@pytest.mark.parametrize("in_flight_max", [1, 10, 200])
def test_no_more_is_out_than_the_limit_of_the_queue(consumers: int, in_flight_max: int) -> None:
    world = World(queue_in_flight_max=in_flight_max)
    queue = world.node.queue("q")
    world.publish(queue, *map(str, range(500)))
    everybody = [world.consume(queue, prefetch=500) for _ in range(consumers)]
    assert queue.statistics().in_flight == in_flight_max
    sink, subscription = everybody[0]
    seq = sink.take()[0].seq
    world.acknowledge(subscription.consumer, seq)
    assert queue.statistics().in_flight == in_flight_max
    sink.take()
    world.give_back(subscription.consumer, next(iter(subscription.consumer.unacknowledged)))
    assert queue.statistics().in_flight == in_flight_max


def test_nothing_is_delivered_while_a_dispatcher_is_paused(world: World, queue: Queue) -> None:
    queue.dispatcher.paused = True
    sink, subscription = world.consume(queue)
    world.publish(queue, *"ab")
    assert sink.take() == []
    assert queue.statistics().paused
    queue.dispatcher.paused = False
    queue.dispatcher.queue_up(subscription.consumer)
    queue.dispatcher.dispatch()
    world.settle_down()
    assert sink.bodies() == ["a", "b"]


def test_nothing_comes_back_to_a_closed_dispatcher(world: World, queue: Queue) -> None:
    world.publish(queue, *"ab")
    _, subscription = world.consume(queue)
    consumer = subscription.consumer
    queue.dispatcher.close()
    queue.dispatcher.settle(consumer, [1])
    queue.dispatcher.give_back({2: 1})
    assert queue.cursor.returned == {}
    assert world.store.batch.settled == {}
    assert queue.statistics().in_flight == 2
