"""Expired messages that stand behind living ones: which go, when, and what is read for it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from segue.broker.message import decode, encode, prefix
from segue.broker.queue import Queue
from segue.broker.queue_options import REFUSE, QueueOptions
from tests.unit.broker.actors import FakeSink, World, header

SIZE = 4096


def publish(world: World, queue: Queue, lives: Iterable[float | None]) -> None:
    """Messages that live for so many seconds, None for ever; on disk, and not in memory, when this returns."""
    queue.note_expiring()
    now_ms = world.clock.now_ms()
    for seconds in lives:
        expires_ms = 0 if seconds is None else now_ms + int(seconds * 1000)
        body = b"%d" % queue.log.head
        queue.publish(encode(*prefix(now_ms, b"\n", expires_ms=expires_ms), body.ljust(SIZE, b".")))
    world.store.want()
    world.settle_down()
    world.store.spill(queue.log)


async def sweep(world: World) -> None:
    """Until nothing is left to be looked at."""
    while await world.node._deep_sweep.look_everywhere():
        world.settle_down()


def ready(queue: Queue) -> list[int]:
    cursor = queue.cursor
    return [seq for seq in range(1, queue.log.head) if cursor.is_ready(seq)]


@pytest.fixture
def reads(world: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first number of each read from disk."""
    found: list[int] = []
    original = world.store.played_reader.read_range

    async def read_range(log: object, seq: int, end: int, bytes_max: int) -> object:
        found.append(seq)
        return await original(log, seq, end, bytes_max)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store.played_reader, "read_range", read_range)
    return found


pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_messages_behind_one_that_lives_go_when_half_of_them_have_expired(world: World, queue: Queue) -> None:
    publish(world, queue, [None, *range(1, 101)])
    await sweep(world)
    assert len(ready(queue)) == 101
    world.clock.advance(40)
    await sweep(world)
    assert len(ready(queue)) == 101
    world.clock.advance(20)
    await sweep(world)
    assert ready(queue) == [1, *range(62, 102)]
    assert queue.statistics().expired == 60


async def test_a_part_is_not_read_again_before_it_is_worth_it(world: World, queue: Queue, reads: list[int]) -> None:
    publish(world, queue, [None, *[100] * 100])
    for _ in range(9):
        await sweep(world)
        world.clock.advance(10)
    assert reads == [1]
    world.clock.advance(20)
    await sweep(world)
    assert (reads, ready(queue)) == ([1, 1], [1])


async def test_what_has_wholly_expired_goes_without_being_read(world: World, queue: Queue, reads: list[int]) -> None:
    publish(world, queue, [1000, *[10] * 599])
    queue.log.cursors[0].next = 2
    await sweep(world)
    count = len(reads)
    assert count > 1
    world.clock.advance(10)
    await sweep(world)
    assert (len(reads), ready(queue)) == (count, [])


async def test_what_came_later_is_looked_at_when_it_is_enough(world: World, queue: Queue, reads: list[int]) -> None:
    publish(world, queue, [None, *[1] * 100])
    await sweep(world)
    publish(world, queue, [1] * 3)
    await sweep(world)
    assert len(reads) == 1
    publish(world, queue, [1] * 100)
    await sweep(world)
    assert len(reads) == 2
    world.clock.advance(1)
    await sweep(world)
    assert ready(queue) == [1]


async def test_expired_messages_go_to_the_dead_letter_queue_once(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="dead"))
    publish(world, queue, [None, *[1] * 300])
    world.clock.advance(1)
    await sweep(world)
    assert ready(queue) == [1]
    dead = world.node.queue("dead")
    assert (dead.statistics().ready, queue.statistics().dead_lettered) == (300, 300)
    letter = dead.log.find(1)
    assert letter is not None
    assert header(decode(letter), "dead-letter-reason") == "expired"


async def test_what_can_not_be_moved_now_stays_and_goes_later(world: World) -> None:
    world.node.declare_queue("dead", options=QueueOptions(messages_max=50, overflow=REFUSE))
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="dead"))
    publish(world, queue, [None, *[1] * 100])
    world.clock.advance(1)
    await sweep(world)
    assert ready(queue) == [1, *range(52, 102)]
    world.node.queue("dead").purge()
    await sweep(world)
    assert len(ready(queue)) == 51
    world.clock.advance(60)
    await sweep(world)
    assert ready(queue) == [1]


async def test_a_consumer_that_gets_there_meanwhile_is_not_disturbed(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="dead"))
    publish(world, queue, [None, *[5] * 300])
    await sweep(world)
    sink, _ = world.consume(queue, prefetch=150)
    while world.store.played_reader.jobs:
        world.settle_down()
    held = len(sink.take())
    assert held == 150
    world.clock.advance(5)
    await sweep(world)
    assert (queue.statistics().in_flight, ready(queue)) == (150, [])
    assert world.node.queue("dead").statistics().ready == 151


async def test_where_the_queue_alone_has_a_time_to_live_nothing_is_read(world: World, reads: list[int]) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(message_ttl_ms=1000))
    world.publish(queue, *["x" * SIZE] * 100)
    world.store.spill(queue.log)
    await sweep(world)
    assert reads == []


async def test_a_new_time_to_live_is_looked_at_anew(world: World, queue: Queue) -> None:
    publish(world, queue, [None, *[1000] * 100])
    await sweep(world)
    queue.apply(QueueOptions(message_ttl_ms=500))
    world.clock.advance(1)
    await sweep(world)
    assert ready(queue) == []


async def test_what_the_disk_does_not_give_now_is_tried_again(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="dead"))
    publish(world, queue, [None, *[1] * 100])
    await sweep(world)
    world.clock.advance(1)
    world.store.played_reader.fault = OSError("no such luck")
    await sweep(world)
    world.store.played_reader.fault = None
    await sweep(world)
    assert len(ready(queue)) == 101
    world.clock.advance(60)
    await sweep(world)
    assert ready(queue) == [1]


async def test_subscriptions_of_one_topic_let_go_each_by_itself(world: World) -> None:
    for name in ("a", "b"):
        session = world.session()
        session.subscribe_durable(name, "t", FakeSink(), prefetch=1, settles=True)
        session.close()
    world.settle_down()
    topic = world.node.topic("t")
    topic.note_expiring()
    now_ms = world.clock.now_ms()
    for number in range(101):
        expires_ms = now_ms + 1000 if number else 0
        topic.publish(encode(*prefix(now_ms, b"\n", expires_ms=expires_ms), b"x" * SIZE))
    world.store.want()
    world.settle_down()
    subscriptions = world.node.topics.durables()
    world.store.spill(subscriptions[0].cursor.log)
    world.clock.advance(1)
    await sweep(world)
    assert [one.cursor.ready for one in subscriptions] == [1, 1]
