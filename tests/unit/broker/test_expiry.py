"""Expiry: nothing is delivered after its deadline, wherever it stands, and what is past it goes without a consumer."""

from __future__ import annotations

import pytest

from segue.broker.dead_letters import Reason, dead_letter
from segue.broker.message import decode, encode, prefix
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from tests.unit.broker.actors import Delivery, FakeSink, World, header, record

_HEADERS = b"destination:/queue/q\ncontent-length:1\n\n"


def publish(world: World, queue: Queue, *messages: tuple[str, int | None]) -> None:
    """Messages, and how many milliseconds each may live."""
    now_ms = world.node.clock.now_ms()
    for body, lives_ms in messages:
        if lives_ms is not None:
            queue.note_expiring()
        expires_ms = 0 if lives_ms is None else now_ms + lives_ms
        queue.publish(encode(*prefix(now_ms, _HEADERS, expires_ms=expires_ms), body.encode()))
    world.node.store.want()
    world.settle_down()


def pass_time(world: World, milliseconds: int) -> None:
    world.clock.advance(milliseconds / 1000)


def test_nothing_is_delivered_after_its_deadline_wherever_it_stands(world: World, queue: Queue) -> None:
    publish(world, queue, ("a", None), ("b", 100), ("c", None), ("d", 100), ("e", 100), ("f", 5000))
    pass_time(world, 200)
    sink, _ = world.consume(queue)
    world.settle_down()
    assert sink.bodies() == ["a", "c", "f"]
    found = queue.statistics()
    assert (found.expired, found.in_flight, found.ready, found.settled) == (3, 3, 0, 3)


@pytest.mark.parametrize("dead_letters", [False, True])
def test_nor_is_anything_that_stands_between_gaps(world: World, queue: Queue, dead_letters: bool) -> None:
    queue.apply(QueueOptions(dead_letter="dead" if dead_letters else ""))
    lives = (None, 100, 100, None, 100, 5000, None)
    publish(world, queue, *[(f"{number}", lives[number % 7]) for number in range(700)])
    queue.log.cursors[0].settle_ahead(list(range(3, 700, 2)))
    pass_time(world, 200)
    sink, subscription = world.consume(queue, prefetch=120)
    found: list[str] = []
    while bodies := sink.bodies():
        found += bodies
        world.acknowledge(subscription.consumer, *subscription.consumer.unacknowledged)
    kept = [0, 1, *range(3, 700, 2)]
    assert found == [f"{number}" for number in kept if lives[number % 7] != 100]
    assert queue.statistics().expired == len(kept) - len(found)
    assert ("dead" in world.node.queues) is dead_letters


def test_before_its_deadline_a_message_is_delivered_and_stays_out(world: World, queue: Queue) -> None:
    publish(world, queue, ("a", 100))
    sink, subscription = world.consume(queue)
    pass_time(world, 200)
    world.node.sweep()
    world.settle_down()
    assert sink.bodies() == ["a"]
    world.acknowledge(subscription.consumer, 1)
    assert queue.statistics().expired == 0


def test_what_comes_back_after_its_deadline_does_not_go_out_again(world: World, queue: Queue) -> None:
    publish(world, queue, ("a", 100), ("b", None))
    sink, subscription = world.consume(queue)
    pass_time(world, 200)
    world.give_back(subscription.consumer, 1, 2)
    assert sink.bodies() == ["a", "b", "b"]
    assert queue.statistics().expired == 1


def test_the_head_of_a_queue_goes_without_a_consumer(world: World, queue: Queue) -> None:
    publish(world, queue, *[(f"{number}", 100) for number in range(5000)], ("last", 10_000))
    world.node.sweep()
    assert queue.statistics().ready == 5001
    pass_time(world, 200)
    world.node.sweep()
    for _ in range(5):
        world.settle_down()
    assert (queue.statistics().ready, queue.statistics().expired) == (1, 5000)
    assert queue.cursor.log.hot_bytes < 1000


def test_a_sweep_takes_nothing_that_lives_and_comes_again_when_that_is_due(world: World, queue: Queue) -> None:
    publish(world, queue, ("a", 5000), ("b", 100))
    world.node.sweep()
    pass_time(world, 4000)
    world.node.sweep()
    assert queue.statistics().ready == 2
    pass_time(world, 1001)
    world.node.sweep()
    world.settle_down()
    assert queue.statistics().ready == 0


def test_a_message_lives_as_long_as_the_shorter_of_its_own_and_its_queues_time(world: World) -> None:
    queue = world.node.declare_queue("short", options=QueueOptions(message_ttl_ms=1000))
    publish(world, queue, ("a", None), ("b", 5000), ("c", 100))
    pass_time(world, 500)
    assert sorted(bodies(world, queue)) == ["a", "b"]
    pass_time(world, 501)
    assert bodies(world, queue) == []


def bodies(world: World, queue: Queue) -> list[str]:
    """What a consumer would get now."""
    sink, subscription = world.consume(queue)
    got = sink.bodies()
    world.node.sessions[subscription.consumer.session_id].close()
    world.settle_down()
    return got


def test_a_queue_without_deadlines_is_never_asked_for_them(world: World, queue: Queue) -> None:
    publish(world, queue, ("a", None))
    assert queue.dispatcher.expiry is None
    assert "expiring" not in queue.definition


def test_that_a_queue_has_deadlines_is_written_once_and_with_the_message(world: World, queue: Queue) -> None:
    queue.note_expiring()
    queue.note_expiring()
    assert [one["definition"].get("expiring") for one in world.store.batch.definitions if one["id"] == queue.log.id][
        -1:
    ] == [True]
    assert sum(one["definition"].get("expiring", False) for one in world.store.batch.definitions) == 1


@pytest.mark.parametrize("on_disk", [True, False])
def test_returned_messages_at_the_head_expire_without_a_consumer(world: World, queue: Queue, on_disk: bool) -> None:
    publish(world, queue, ("a", 100), ("b", 5000), ("c", 100))
    _, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].close()
    world.settle_down()
    if on_disk:
        world.store.spill(queue.log)
    pass_time(world, 2000)
    world.node.sweep()
    world.settle_down()
    assert queue.cursor.holes() == {2: 1, 3: 1}
    assert [(one.body, one.deliveries) for one in consumed(world, queue)] == [("b", 2)]


def consumed(world: World, queue: Queue) -> list[Delivery]:
    sink, _ = world.consume(queue)
    return sink.take()


HOUR, YEAR = 3600, 365 * 86_400


@pytest.mark.parametrize("step", [HOUR, -HOUR, YEAR, -YEAR], ids=["+1 h", "-1 h", "+1 year", "-1 year"])
@pytest.mark.parametrize("is_restarted", [False, True], ids=["", "and a restart"])
def test_a_message_lives_as_long_as_it_should_whoever_sets_the_clock(
    world: World, step: int, is_restarted: bool
) -> None:
    """Fault 47."""
    publish(world, world.node.queue("q"), ("before", 10_000))
    world.clock.set_by(step)
    world.node.look_at_clock()
    if is_restarted:
        world.restart()
    publish(world, world.node.queue("q"), ("after", 10_000), ("lives", 11_000))
    pass_time(world, 9_999)
    assert world.node.queue("q").statistics().ready == 3
    world.node.sweep()
    world.settle_down()
    assert world.node.queue("q").statistics().expired == 0
    pass_time(world, 1)
    world.node.sweep()
    sink, _ = world.consume(world.node.queue("q"))
    assert sink.bodies() == ["lives"]


def test_a_dispatch_expires_only_so_many_and_the_rest_in_the_steps_that_follow(world: World, queue: Queue) -> None:
    publish(world, queue, *[(f"{number}", 100) for number in range(10_000)], ("last", None))
    world.node.sweep()
    world.settle_down()
    pass_time(world, 200)
    sink = FakeSink()
    world.session().subscribe_queue(queue, sink, prefetch=10, settles=True)
    queue.dispatcher.dispatch()
    assert 0 < queue.statistics().expired < 4000
    assert world.node._more.is_set()
    for _ in range(10):
        world.settle_down()
    assert sink.bodies() == ["last"]


def test_a_step_sweeps_only_so_many_queues_and_none_is_forgotten(world: World) -> None:
    queues = [world.node.queue(f"q{number}") for number in range(20)]
    for queue in queues:
        publish(world, queue, *[(f"{number}", 100) for number in range(1000)])
    world.node.sweep()
    world.settle_down()
    pass_time(world, 2000)
    world.node.sweep()
    assert sum(queue.statistics().expired for queue in queues) < 7000
    assert world.node._more.is_set()
    for _ in range(20):
        world.node.sweep()
        world.settle_down()
        pass_time(world, 1000)
    assert sum(queue.statistics().expired for queue in queues) == 20_000


def test_a_deleted_queue_is_not_swept_any_more(world: World, queue: Queue) -> None:
    publish(world, queue, *[(f"{number}", 100) for number in range(5000)])
    pass_time(world, 200)
    world.store.spill(queue.log)
    world.node.sweep()
    assert queue.dispatcher.sweeping
    world.node.delete_queue("q")
    world.store.played_reader.jobs.clear()
    queue.dispatcher.dispatch()
    world.node.end_step()
    assert world.store.played_reader.jobs == []


# Dead letters ---------------------------------------------------------------------------------------------------------


def test_expired_messages_go_to_the_dead_letter_queue_with_the_reason(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="dead"))
    publish(world, queue, ("a", 100), ("b", 100))
    pass_time(world, 200)
    world.node.sweep()
    world.settle_down()
    sink, _ = world.consume(world.node.queue("dead"))
    assert sink.bodies() == ["a", "b"]
    found = queue.statistics()
    assert (found.expired, found.dead_lettered, found.settled) == (2, 2, 2)


def test_a_dead_letter_has_no_deadline_of_its_own_any_more(world: World) -> None:
    headers = b"expires:1\nexpiration:5\nother:1\ncontent-length:1\n\n"
    message = decode(
        dead_letter(
            encode(*prefix(1, headers, expires_ms=7), b"x"),
            queue="q",
            reason=Reason.EXPIRED,
            deliveries=0,
            now_ms=9,
            died_ms=9,
        )
    )
    assert message.expires_ms == 0
    assert [header(message, name) for name in ("expires", "expiration", "other")] == [None, None, "1"]
    assert header(message, "dead-letter-reason") == "expired"


def test_a_delayed_retry_goes_round_as_often_as_the_message_is_refused(world: World) -> None:
    """RabbitMQ's way: a queue for the wait, whose messages expire into the queue that they came from."""
    work = world.node.declare_queue("work", options=QueueOptions(dead_letter="wait"))
    world.node.declare_queue("wait", options=QueueOptions(dead_letter="work", message_ttl_ms=1000))
    publish(world, work, ("a", None))
    sink, subscription = world.consume(work)
    for _ in range(5):
        (delivery,) = sink.take()
        world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, [delivery.seq])
        world.settle_down()
        assert sink.take() == []
        pass_time(world, 1001)
        world.node.sweep()
        world.settle_down()
    assert [one.body for one in sink.take()] == ["a"]


def test_two_queues_whose_messages_expire_into_each_other_do_not_pass_them_to_and_fro_for_ever(world: World) -> None:
    there = world.node.declare_queue("there", options=QueueOptions(dead_letter="back", message_ttl_ms=0))
    back = world.node.declare_queue("back", options=QueueOptions(dead_letter="there", message_ttl_ms=0))
    publish(world, there, ("a", None))
    for _ in range(20):
        pass_time(world, 61_000)
        world.node.sweep()
        world.settle_down()
    assert there.statistics().ready == back.statistics().ready == 0
    assert there.statistics().published + back.statistics().published == 3
    assert (there.statistics().dead_lettered, there.statistics().discarded) == (1, 1)
    assert (back.statistics().dead_lettered, back.statistics().discarded) == (1, 0)


def test_a_circle_of_more_queues_than_a_history_has_room_for_ends_too(world: World) -> None:
    names = [f"q{number}" for number in range(20)]
    for name, following in zip(names, names[1:] + names[:1], strict=True):
        world.node.declare_queue(name, options=QueueOptions(dead_letter=following, message_ttl_ms=0))
    publish(world, world.node.queue("q0"), ("a", None))
    for _ in range(40):
        pass_time(world, 61_000)
        world.node.sweep()
        world.settle_down()
    assert sum(queue.statistics().published for queue in world.node.queues.values()) <= 20
    assert sum(queue.statistics().ready for queue in world.node.queues.values()) == 0


# Topics ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flagged_first", [True, False])
@pytest.mark.parametrize("durable", [True, False])
def test_messages_of_topics_expire_for_each_subscription(world: World, durable: bool, flagged_first: bool) -> None:
    topic = world.node.topic("news")
    if flagged_first:
        topic.note_expiring()
    sink = FakeSink(blocked=True)
    session = world.session()
    if durable:
        subscription = session.subscribe_durable("d", "news", sink, prefetch=10, settles=True)
    else:
        subscription = session.subscribe_topic("news", sink, prefetch=10, settles=True)
    topic.note_expiring()
    now_ms = world.node.clock.now_ms()
    topic.publish(encode(*prefix(now_ms, _HEADERS, expires_ms=now_ms + 100), b"old"))
    topic.publish(record("lasting"))
    world.settle_down()
    pass_time(world, 200)
    sink.blocked = False
    subscription.consumer.dispatcher.queue_up(subscription.consumer)
    subscription.consumer.dispatcher.dispatch()
    world.settle_down()
    assert sink.bodies() == ["lasting"]


def test_thousands_that_expire_for_a_durable_subscription_go_without_waiting_for_the_next_second(world: World) -> None:
    subscription = world.session().subscribe_durable("d", "news", FakeSink(blocked=True), prefetch=10, settles=True)
    topic = world.node.topic("news")
    topic.note_expiring()
    now_ms = world.node.clock.now_ms()
    for _ in range(6000):
        topic.publish(encode(*prefix(now_ms, _HEADERS, expires_ms=now_ms + 100), b"old"))
    world.settle_down()
    pass_time(world, 200)
    world.node.sweep()
    for _ in range(5):
        world.settle_down()
    assert subscription.consumer.dispatcher.expired == 6000


def test_what_expires_in_memory_is_no_longer_counted_as_memory(world: World) -> None:
    topic = world.node.topic("news")
    topic.note_expiring()
    world.session().subscribe_topic("news", FakeSink(blocked=True), prefetch=10, settles=True)
    now_ms = world.node.clock.now_ms()
    topic.publish(encode(*prefix(now_ms, _HEADERS, expires_ms=now_ms + 100), b"old"))
    world.settle_down()
    assert world.node.pressure.buffer_bytes > 0
    pass_time(world, 200)
    world.node.sweep()
    assert world.node.pressure.buffer_bytes == 0
