"""Topics: what a pattern matches, who gets what is published, and what becomes of slow subscribers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from segue.broker import inspect
from segue.broker.topic import TopicSubscription, matches
from tests.unit.broker.actors import FakeSink, World, record

KIB = 1 << 10


def publish(world: World, name: str, *bodies: str) -> None:
    for body in bodies:
        world.node.topic(name).publish(record(body))
    world.store.want()
    world.settle_down()


def subscribe(world: World, pattern: str, **more: int) -> tuple[FakeSink, TopicSubscription]:
    sink, session = FakeSink(), world.session()
    options = {"prefetch": 100, **more}
    subscription = session.subscribe_topic(pattern, sink, settles=True, **options)  # type: ignore[arg-type]
    assert isinstance(subscription.source, TopicSubscription)
    return sink, subscription.source


@pytest.mark.parametrize(
    ("pattern", "names", "others"),
    [
        ("a.b", ["a.b"], ["a", "b", "a.b.c", "a.c", "A.b"]),
        ("a.*", ["a.b", "a."], ["a", "a.b.c", "b.a"]),
        ("*.b", ["a.b"], ["b", "a.a.b"]),
        ("#", ["a", "a.b", "a.b.c"], []),
        ("a.#", ["a", "a.b", "a.b.c"], ["b", "ab"]),
        ("#.c", ["c", "a.c", "a.b.c"], ["a", "c.a"]),
        ("a.#.c", ["a.c", "a.b.c", "a.b.b.c", "a.c.c"], ["a", "c", "a.b"]),
        ("a.#.*", ["a.b", "a.b.c"], ["a"]),
        ("a.>", ["a", "a.b", "a.b.c"], ["b"]),
        ("#.#", ["a", "a.b"], []),
    ],
)
def test_a_pattern_matches_these_names_and_not_those(pattern: str, names: list[str], others: list[str]) -> None:
    assert [name for name in names if not matches(pattern.split("."), name.split("."))] == []
    assert [name for name in others if matches(pattern.split("."), name.split("."))] == []


def test_every_subscription_that_matches_gets_a_message_once(world: World) -> None:
    sinks = {pattern: subscribe(world, pattern)[0] for pattern in ("a.b", "a.*", "#", "b.#", "a")}
    publish(world, "a.b", "1")
    assert {pattern for pattern, sink in sinks.items() if sink.bodies() == ["1"]} == {"a.b", "a.*", "#"}


@pytest.mark.parametrize("pattern", ["a.b", "a.*"])
def test_a_route_knows_who_came_and_who_left_since_it_was_last_used(world: World, pattern: str) -> None:
    publish(world, "a.b", "nobody is there")
    sink, session = FakeSink(), world.session()
    subscription = session.subscribe_topic(pattern, sink, prefetch=9, settles=True)
    publish(world, "a.b", "1")
    session.unsubscribe(subscription)
    publish(world, "a.b", "2")
    durable = session.subscribe_durable("d", pattern, sink, prefetch=9, settles=True)
    publish(world, "a.b", "3")
    session.unsubscribe(durable)
    session.delete_durable("d")
    publish(world, "a.b", "4")
    assert sink.bodies() == ["1", "3"]
    assert list(world.node.topics.topics()) == []
    assert world.store.logs == {}


def test_names_that_have_many_subscribers_do_not_fill_the_memory_of_routes(world: World) -> None:
    session = world.session()
    for _ in range(500):
        session.subscribe_topic("#", FakeSink(), prefetch=1, settles=True)
    for number in range(5000):
        world.node.topics.find(f"t.{number}")
    kept = sum(len(buffers) + len(logs) for buffers, logs, _ in world.node.topics._found.values())
    assert kept <= 1_000_000


def test_a_thousand_durable_subscriptions_store_a_message_once(world: World) -> None:
    session = world.session()
    for number in range(1000):
        session.unsubscribe(session.subscribe_durable(f"d{number}", "t", FakeSink(), prefetch=1, settles=True))
    publish(world, "t", "1")
    assert len(world.store.logs) == 1
    sink = FakeSink()
    session.subscribe_durable("d500", "t", sink, prefetch=1, settles=True)
    world.settle_down()
    assert sink.bodies() == ["1"]


def test_a_session_does_not_get_its_own_messages_if_it_does_not_want_them(world: World) -> None:
    mine, other = FakeSink(), FakeSink()
    session = world.session()
    session.subscribe_topic("t", mine, prefetch=9, settles=True, no_local=True)
    session.subscribe_topic("t", other, prefetch=9, settles=True)
    world.node.topic("t").publish_from(record("own"), session.id)
    world.node.topic("t").publish_from(record("another's"), session.id + 1)
    world.node.topic("t").publish(record("nobody's"))
    world.settle_down()
    assert mine.bodies() == ["another's", "nobody's"]
    assert len(other.bodies()) == 3


# Slow subscribers ---------------------------------------------------------------------------------------------------


def test_the_oldest_messages_go_when_there_are_too_many() -> None:
    world = World(topic_buffer_messages_max=3)
    sink, subscription = subscribe(world, "t")
    sink.blocked = True
    publish(world, "t", *"abcdefg")
    assert subscription.dropped == 4
    sink.blocked = False
    subscription.dispatcher.queue_up(subscription.dispatcher.consumers[0])
    subscription.dispatcher.dispatch()
    assert sink.bodies() == ["e", "f", "g"]


def test_the_oldest_messages_go_when_they_have_too_many_bytes() -> None:
    world = World(topic_buffer_bytes_max=64 * KIB)
    sink, subscription = subscribe(world, "t")
    sink.blocked = True
    publish(world, "t", *["x" * 10 * KIB] * 20)
    assert subscription.log.hot_bytes <= 64 * KIB
    assert subscription.dropped >= 14
    assert subscription.statistics().ready + subscription.dropped == 20
    publish(world, "t", "y" * 500 * KIB)  # a single message always fits
    assert subscription.statistics().ready == 1


@pytest.mark.parametrize("prefetch", [10, 60_000])
def test_a_subscriber_that_never_acknowledges_has_no_more_out_than_its_buffer(prefetch: int) -> None:
    world = World(topic_buffer_bytes_max=64 * KIB)
    sink, subscription = subscribe(world, "t", prefetch=prefetch)
    for _ in range(100):
        publish(world, "t", *["x" * 10 * KIB] * 5)
    assert subscription.log.hot_bytes < 200 * KIB
    assert subscription.statistics().in_flight < 20
    consumer = subscription.dispatcher.consumers[0]
    sink.take()
    world.acknowledge(consumer, *list(consumer.unacknowledged))
    assert sink.bodies()  # and it gets the newest when it has acknowledged


def test_all_subscribers_together_are_bounded_and_hold_nobody(world: World) -> None:
    """FAULTS L3: slow subscribers cost themselves messages, and never a publisher his."""
    slow = [subscribe(world, f"t.{number}") for number in range(100)]
    for sink, _ in slow:
        sink.blocked = True
    for _ in range(40):
        for number in range(100):
            world.node.topic(f"t.{number}").publish(record("x" * 100 * KIB))
        world.settle_down()
        assert not world.node.held
    assert world.store.hot_bytes < world.settings.memory.high_water_bytes
    assert world.store.hot_bytes == world.node.pressure.buffer_bytes


def test_a_large_fan_out_is_written_while_it_is_made(world: World) -> None:
    """Each subscriber gets a copy of its own: all at once would be more than the machine has."""
    gathered = largest = 0

    class Writing(FakeSink):
        def __init__(self) -> None:
            super().__init__()
            self.waiting = 0

        def deliver(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
            nonlocal gathered, largest
            if not self.waiting:
                world.node.wrote(self)  # type: ignore[arg-type]
            self.waiting += sum(map(len, records))
            gathered += sum(map(len, records))
            largest = max(largest, gathered)

        def flush_output(self) -> None:
            nonlocal gathered
            gathered -= self.waiting
            self.waiting = 0

    session = world.session()
    for _ in range(300):
        session.subscribe_topic("t", Writing(), prefetch=9, settles=True)
    publish(world, "t", "x" * 1024 * KIB)
    assert 0 < largest < 64 * 1024 * KIB
    assert gathered == 0
    for number in range(300):
        session.subscribe_durable(str(number), "u", Writing(), prefetch=9, settles=True)
    world.settle_down()
    largest = 0
    publish(world, "u", "x" * 1024 * KIB)
    assert 0 < largest < 64 * 1024 * KIB


# What is lost is told ------------------------------------------------------------------------------------------------


def lines(world: World) -> list[tuple[object, object]]:
    """What the log says was dropped: since the line before, and together."""
    return [(one.fields["dropped"], one.fields["together"]) for one in world.log.named("messages.dropped")]


def test_a_subscriber_that_loses_messages_is_told_of_once_a_minute_and_at_its_end() -> None:
    world = World(topic_buffer_messages_max=10)
    session = world.session()
    sink = FakeSink(blocked=True)
    subscription = session.subscribe_topic("news.#", sink, prefetch=100, settles=True)
    publish(world, "news.a", *"0123456789")
    assert lines(world) == []
    publish(world, "news.a", *"abcde")
    assert lines(world) == [(1, 1)]
    world.clock.advance(61)
    publish(world, "news.a", "f", "g")
    assert lines(world) == [(1, 1), (5, 6)]
    session.unsubscribe(subscription)
    assert lines(world) == [(1, 1), (5, 6), (1, 7)]
    (first, *_) = world.log.named("messages.dropped")
    assert (first.fields["topic"], first.fields["connection"]) == ("news.#", session.id)
    assert first.fields["peer"] == session.peer


def test_what_subscribers_have_lost_is_shown_for_patterns_for_connections_and_in_all() -> None:
    world = World(topic_buffer_messages_max=10)
    slow, quick = world.session(), world.session()
    slow.subscribe_topic("news", FakeSink(blocked=True), prefetch=100, settles=True)
    slow.subscribe_topic("#", FakeSink(blocked=True), prefetch=100, settles=True)
    quick.subscribe_topic("news", FakeSink(), prefetch=100, settles=False)
    for _ in range(13):
        publish(world, "news", "x")
    rows = {row["pattern"]: row["dropped"] for row in inspect.topics(world.node)}
    assert rows == {"news": 3, "#": 3}
    assert [row["dropped"] for row in inspect.connections(world.node)] == [6, 0]
    slow.close()
    assert world.node.topics.dropped == 6
