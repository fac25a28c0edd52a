"""Retained messages: who is given which, what takes whose place, and what is settled when."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from segue.broker.errors import LimitReachedError
from segue.broker.message import decode, encode, prefix
from segue.broker.node import Node
from segue.broker.retained.retaining_topic import RetainingTopic
from segue.broker.selector import compile_selector
from segue.broker.settings import Policy
from tests.unit.broker.actors import FakeSink, World, header, record


def retain(world: World, name: str, *bodies: str, headers: bytes = b"", settle: bool = True) -> None:
    topic = RetainingTopic(world.node, name)
    for body in bodies:
        message = record(body, headers)
        topic.check_room(1, len(message))
        topic.publish(message)
    if settle:
        world.store.want()
        world.settle_down()


def given(world: World, pattern: str, **more: object) -> list[str]:
    """What a new subscription is given."""
    sink = FakeSink()
    session = world.session()
    session.subscribe_topic(pattern, sink, prefetch=100_000, settles=True, **more)  # type: ignore[arg-type]
    world.settle_down()
    session.close()
    return sorted(sink.bodies())


def owed(world: World) -> list[int]:
    """The numbers of what is not settled."""
    (log,) = [log for log in world.store.logs.values() if log.definition.get("kind") == "retained"]
    cursor = log.cursors[0]
    return [seq for seq in range(cursor.next, log.head) if cursor.gaps is None or seq not in cursor.gaps]


async def restarted(world: World) -> World:
    """Another node on the same store."""
    again = World()
    again.store = world.store
    again.node = Node(world.store, world.settings, world.clock, world.log, world.node.users)
    await again.node.retained.load()
    return again


def test_a_new_subscription_is_given_the_last_message_of_each_name_that_it_matches(world: World) -> None:
    retain(world, "a.b", "old", "new")
    retain(world, "a.c", "c")
    world.node.topic("a.d").publish(record("not retained"))
    found = {pattern: given(world, pattern) for pattern in ("a.b", "a.*", "#", "a", "b.#")}
    assert found == {"a.b": ["new"], "a.*": ["c", "new"], "#": ["c", "new"], "a": [], "b.#": []}


def test_what_is_retained_comes_first_and_says_so(world: World) -> None:
    retain(world, "a", "kept", headers=b"destination:/topic/a\nretained-topic:forged\ncontent-length:4\n\n")
    records: list[bytes] = []

    class Sink(FakeSink):
        def deliver(self, seqs: Sequence[int], messages: list[bytes], redelivered: bool) -> None:
            records.extend(messages)

    world.session().subscribe_topic("#", Sink(), prefetch=9, settles=True)
    retain(world, "a", "live")
    assert [decode(one).body for one in records] == [b"kept", b"live"]
    assert [header(decode(one), "retained-topic") for one in records] == ["a", None]
    assert header(decode(records[0]), "destination") == "/topic/a"


def test_subscribers_that_are_there_and_durable_ones_get_the_message_as_any_other(world: World) -> None:
    sink, durable = FakeSink(), FakeSink()
    world.session().subscribe_topic("a", sink, prefetch=9, settles=True)
    world.session().subscribe_durable("d", "a", durable, prefetch=9, settles=True)
    retain(world, "a", "1", "")
    assert (sink.bodies(), durable.bodies()) == (["1", ""], ["1", ""])
    late = FakeSink()
    retain(world, "a", "2")
    world.session().subscribe_durable("late", "a", late, prefetch=9, settles=True)
    world.settle_down()
    assert late.bodies() == []


def test_a_message_without_a_body_removes_what_was_retained(world: World) -> None:
    retain(world, "a", "1")
    retain(world, "b", "2")
    retain(world, "a", "")
    retain(world, "never", "")
    assert given(world, "#") == ["2"]
    assert (len(world.node.retained), len(owed(world))) == (1, 1)
    retain(world, "b", "")
    assert (world.node.retained.bytes, owed(world)) == (0, [])


def test_what_was_replaced_is_settled_when_it_is_on_disk(world: World) -> None:
    retain(world, "a", "1", settle=False)
    retain(world, "a", "2", settle=False)
    assert owed(world) == [1, 2]
    world.store.want()
    world.settle_down()
    assert owed(world) == [2]
    retain(world, "b", "3")
    retain(world, "a", "4")
    assert owed(world) == [3, 4]


def test_a_subscription_is_given_only_what_its_selector_wants_and_what_has_not_expired(world: World) -> None:
    retain(world, "a", "red", headers=b"colour:red\n\n")
    retain(world, "b", "blue", headers=b"colour:blue\n\n")
    expires_ms = world.clock.now_ms() + 1000
    message = encode(*prefix(1_000, b"colour:red\n\n", expires_ms=expires_ms), b"short")
    RetainingTopic(world.node, "c").publish(message)
    assert given(world, "#", selector=compile_selector("colour = 'red'")) == ["red", "short"]
    world.clock.advance(1)
    assert given(world, "#") == ["blue", "red"]


def test_no_more_is_given_than_the_buffer_of_a_subscription_may_hold() -> None:
    world = World(topic_buffer_messages_max=3)
    for number in range(10):
        retain(world, f"t.{number}", str(number))
    assert len(given(world, "t.*")) == 3
    assert world.node.topics.dropped == 0


def test_too_many_names_are_refused_and_those_that_are_there_are_not() -> None:
    world = World(retained_messages_max=2)
    retain(world, "a", "1")
    retain(world, "b", "2")
    with pytest.raises(LimitReachedError, match="retained_messages_max"):
        retain(world, "c", "3")
    retain(world, "a", "4", "")
    retain(world, "c", "5")
    assert given(world, "#") == ["2", "5"]


def test_too_many_bytes_are_refused() -> None:
    world = World(memory={"retained_bytes_max": 3000})
    retain(world, "a", 2000 * "x")
    with pytest.raises(LimitReachedError, match="retained_bytes_max"):
        retain(world, "b", 1000 * "x")
    with pytest.raises(LimitReachedError):
        retain(world, "a", 3000 * "x")
    retain(world, "a", 100 * "x")
    retain(world, "b", 1000 * "x")
    assert world.node.retained.bytes < 3000


def test_a_transaction_with_one_that_has_no_room_is_refused_as_a_whole() -> None:
    world = World(retained_messages_max=0)
    session, topic = world.session(), RetainingTopic(world.node, "a")
    session.begin("t")
    queue = world.node.queue("q")
    session.transaction("t").send(queue, queue.publish, record("1"))
    session.transaction("t").send(topic, topic.publish, record("2"))
    with pytest.raises(LimitReachedError):
        session.commit("t")
    assert queue.log.head == 1


async def test_a_start_reads_what_is_in_memory_and_on_disk(world: World) -> None:
    retain(world, "a", "1", "2")
    retain(world, "b", "3")
    retain(world, "gone", "4")
    world.store.spill(world.node.retained._log)  # type: ignore[arg-type]
    retain(world, "b", "5")
    retain(world, "gone", "")
    again = await restarted(world)
    assert given(again, "#") == ["2", "5"]
    assert (len(again.node.retained), again.node.retained.bytes) == (2, world.node.retained.bytes)
    retain(again, "b", "6")
    assert len(owed(again)) == 2


async def test_a_removal_that_a_crash_has_cut_off_from_what_it_removes_still_removes(world: World) -> None:
    retain(world, "a", "1")
    retain(world, "b", "2")
    log = world.node.retained._log
    assert log is not None
    log.listener = None  # the process ends before it can settle anything
    retain(world, "a", "")
    assert len(owed(world)) == 3
    again = await restarted(world)
    assert given(again, "#") == ["2"]
    again.settle_down()
    assert len(owed(again)) == 1


async def test_deadlines_hold_after_a_start(world: World) -> None:
    RetainingTopic(world.node, "a").publish(encode(*prefix(1, b"\n", expires_ms=world.clock.now_ms() + 1000), b"1"))
    world.store.want()
    world.settle_down()
    again = await restarted(world)
    assert again.node.topics.expiring


async def test_what_can_not_be_read_is_told_and_the_rest_is_retained(world: World) -> None:
    retain(world, "a", "1")
    world.store.spill(world.node.retained._log)  # type: ignore[arg-type]
    retain(world, "b", "2")
    world.store.played_reader.fault = OSError("no such luck")
    again = await restarted(world)
    assert given(again, "#") == ["2"]
    assert [event.fields["reason"] for event in world.log.named("storage.unreadable")] == ["no such luck"]


def test_a_policy_for_everything_does_not_mind_what_is_retained() -> None:
    world = World(policies={"all": Policy("*", messages_max=0)})
    retain(world, "a", "1")
    assert given(world, "a") == ["1"]
