"""The bytes that wait in a queue: exact in memory, shared out on disk, and never a count for each message."""

from __future__ import annotations

from segue.broker.queue import Queue
from segue.broker.waiting_bytes import WaitingBytes
from tests.unit.broker.actors import World, record

OVERHEAD = len(record(""))


def counted(world: World) -> tuple[Queue, WaitingBytes]:
    queue = world.node.declare_queue("q")
    return queue, WaitingBytes(queue.log, queue.log.cursors[0])


def publish(world: World, queue: Queue, *sizes: int) -> None:
    """One batch of messages whose records have these sizes; all of them may be read."""
    queue.log.cursors[0].promised = queue.log.cursors[0].asked = 1 << 40
    world.publish(queue, *("x" * (size - OVERHEAD) for size in sizes))


def test_what_was_read_is_not_counted_any_more(world: World) -> None:
    queue, waiting = counted(world)
    publish(world, queue, 100, 1000, 300)
    assert waiting.total() == 1400
    queue.log.cursors[0].read(1)
    assert waiting.total() == 1300
    publish(world, queue, 50)
    queue.log.cursors[0].read(1)
    assert waiting.total() == 350
    queue.log.cursors[0].read(100)
    assert waiting.total() == 0


def test_what_is_returned_waits_again(world: World) -> None:
    queue, waiting = counted(world)
    publish(world, queue, 100, 1000, 300)
    _, subscription = world.consume(queue, prefetch=2)
    assert waiting.total() == 300
    queue.pause()
    world.give_back(subscription.consumer, 2)
    assert waiting.total() == 1300
    assert waiting.oldest(1) == 1


def test_condemned_messages_do_not_wait(world: World) -> None:
    queue, waiting = counted(world)
    publish(world, queue, 100, 1000)
    queue.log.cursors[0].read(2)
    queue.log.cursors[0].give_back({1: 1 << 32, 2: 1})
    assert waiting.total() == 1000


def test_the_oldest_that_are_so_large_together_are_counted_in_messages(world: World) -> None:
    queue, waiting = counted(world)
    publish(world, queue, 100, 1000, 300)
    publish(world, queue, 200)
    assert [waiting.oldest(size) for size in (1, 100, 101, 1100, 1101, 1400, 1401, 99_999)] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_a_count_that_begins_late_finds_what_is_in_memory_and_on_disk(world: World) -> None:
    queue = world.node.declare_queue("q")
    publish(world, queue, *[100] * 150)
    world.store.spill(queue.log)
    publish(world, queue, *[200] * 150)
    queue.log.cursors[0].read(100)
    world.store.sync_all()  # it was on its way
    queue.log.cursors[0].read(100)
    waiting = WaitingBytes(queue.log, queue.log.cursors[0])
    passed = queue.log.cursors[0].next - 1
    assert 0 < passed < 150
    assert waiting.total() == 100 * (150 - passed) + 200 * 150


def test_on_disk_the_piece_that_is_being_read_is_shared_out_and_the_sum_is_exact_behind_it(world: World) -> None:
    queue = world.node.declare_queue("q")
    publish(world, queue, 1000, *[100] * 9)
    world.store.spill(queue.log)
    publish(world, queue, 500)
    waiting = WaitingBytes(queue.log, queue.log.cursors[0])
    assert waiting.total() == 2400
    queue.log.cursors[0].next = 6
    assert waiting.total() == 950 + 500
    assert waiting.oldest(190) == 1
    assert waiting.oldest(191) == 2
    queue.log.cursors[0].next = 11
    assert waiting.total() == 500


def test_messages_that_are_being_spilled_are_counted_once(world: World) -> None:
    queue = world.node.declare_queue("q")
    publish(world, queue, 100, 200)
    queue.log.begin_spill()
    publish(world, queue, 400)
    waiting = WaitingBytes(queue.log, queue.log.cursors[0])
    assert waiting.total() == 700
    queue.log.cursors[0].read(1)
    assert waiting.total() == 600


def test_a_queue_of_many_small_batches_takes_no_more_pieces_than_it_may(world: World) -> None:
    queue, waiting = counted(world)
    for first in range(1, 20_001):
        waiting._sealed(first, [b"x" * 10])
    assert len(waiting._pieces) <= 4096
    queue.log.cursors[0].next = 10_001
    assert abs(waiting.total() - 100_000) < 20 * 10


def test_many_returned_messages_are_counted_with_the_mean_size(world: World) -> None:
    queue, waiting = counted(world)
    publish(world, queue, *[100] * 400)
    queue.log.cursors[0].read(400)
    queue.log.cursors[0].give_back(dict.fromkeys(range(1, 401), 1))
    assert waiting.total() == 40_000


def test_a_count_that_is_closed_is_told_nothing(world: World) -> None:
    queue, waiting = counted(world)
    waiting.close()
    publish(world, queue, 100)
    assert waiting.total() == 0


def test_what_was_moved_away_from_the_middle_is_shared_out(world: World) -> None:
    queue, waiting = counted(world)
    publish(world, queue, *[100] * 10)
    queue.log.cursors[0].settle_ahead([3, 4, 8])
    assert waiting.total() == 700
    queue.log.cursors[0].skip_to(6)
    assert waiting.total() == 400
    queue.log.cursors[0].skip_to(11)
    assert waiting.total() == 0
