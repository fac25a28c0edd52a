"""The bytes that wait in a queue with priorities, and its bounds by them."""

from __future__ import annotations

import pytest

from segue.broker.errors import LimitReachedError
from segue.broker.level_bytes import LevelBytes
from segue.broker.message import encode, prefix
from segue.broker.queue import Queue
from segue.broker.queue_options import REFUSE, QueueOptions
from tests.unit.broker.actors import World

SIZE = 100


def message(priority: int) -> bytes:
    """A record of 100 bytes."""
    headers = b"priority:%d\n\n" % priority
    common = prefix(1000, headers)
    return encode(*common, b"x" * (SIZE - len(encode(*common, b""))))


def publish(world: World, queue: Queue, *priorities: int) -> None:
    for priority in priorities:
        queue.publish(message(priority))
    world.node.store.want()
    world.settle_down()


def counted(world: World) -> tuple[Queue, LevelBytes]:
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=9))
    assert queue.levels is not None
    return queue, LevelBytes(queue.levels)


def test_they_are_those_of_all_levels_also_of_levels_that_are_made_later(world: World) -> None:
    queue, waiting = counted(world)
    publish(world, queue, 4, 9)
    assert waiting.total() == 2 * SIZE
    publish(world, queue, 0, 9, 9)
    assert waiting.total() == 5 * SIZE
    sink, subscription = world.consume(queue, prefetch=2)
    assert waiting.total() == 3 * SIZE
    world.give_back(subscription.consumer, *[one.seq for one in sink.take()])
    assert waiting.total() == 3 * SIZE
    queue.purge()
    assert waiting.total() == 0


def test_the_oldest_are_those_of_the_lowest_level_and_no_more_than_it_has(world: World) -> None:
    queue, waiting = counted(world)
    assert waiting.oldest(1) == 0
    publish(world, queue, 9, 9, 9, 2, 2)
    assert waiting.total() == 5 * SIZE
    assert [waiting.oldest(size) for size in (1, SIZE + 1, 3 * SIZE)] == [1, 2, 2]


def test_what_is_in_the_open_batch_counts_once_whichever_levels_it_is_for(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=9, bytes_max=5 * SIZE, overflow=REFUSE))
    for priorities in ((4, 9, 0), (9, 9)):
        for priority in priorities:
            queue.publish(message(priority))
        if priorities == (4, 9, 0):
            with pytest.raises(LimitReachedError, match="500 bytes"):
                queue.check_room(1, 2 * SIZE + 1)
            world.node.store.want()
            world.settle_down()
    with pytest.raises(LimitReachedError, match="500 bytes"):
        queue.publish(message(1))
    world.node.store.want()
    world.settle_down()
    world.consume(queue, prefetch=2)
    publish(world, queue, 9)
    publish(world, queue, 0)
    with pytest.raises(LimitReachedError, match="500 bytes"):
        queue.publish(message(9))


@pytest.mark.parametrize("dead_letter", ["", "dead"])
def test_the_oldest_of_the_lowest_level_go_when_there_are_too_many_bytes(world: World, dead_letter: str) -> None:
    queue = world.node.declare_queue(
        "q", options=QueueOptions(priority_max=9, bytes_max=5 * SIZE, dead_letter=dead_letter)
    )
    publish(world, queue, 9, 0, 4, 0, 9, 0, 4)
    assert queue.statistics().dropped == 2
    assert [level.cursor.ready for level in queue.levels or ()] == [2, 2, 1]
    publish(world, queue, 9, 9)
    assert [level.cursor.ready for level in queue.levels or ()] == [4, 1, 0]


def test_a_bound_holds_when_the_queue_gets_priorities_and_when_it_loses_them(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(bytes_max=3 * SIZE))
    publish(world, queue, 9, 9)
    queue.apply(QueueOptions(bytes_max=3 * SIZE, priority_max=9))
    publish(world, queue, 9, 0)
    assert [level.cursor.ready for level in queue.levels or ()] == [1, 2, 0]
    queue.apply(QueueOptions(bytes_max=3 * SIZE))
    publish(world, queue, 0, 0)
    assert queue.statistics().ready == 3
    world.restart()
    queue = world.node.queues["q"]
    queue.apply(QueueOptions(bytes_max=3 * SIZE))
    publish(world, queue, 0)
    assert queue.statistics().ready == 3


def test_nobody_counts_when_the_bound_goes(world: World) -> None:
    queue, waiting = counted(world)
    publish(world, queue, 4, 9)
    assert waiting.total() == 2 * SIZE
    waiting.close()
    publish(world, queue, 9)
    assert waiting.total() == 2 * SIZE
