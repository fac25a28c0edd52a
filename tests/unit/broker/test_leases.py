"""Messages that are held by ids until a deadline."""

from __future__ import annotations

from typing import Any

import pytest

from segue.broker.errors import InUseError, NotHeldError
from segue.broker.leases import Lease, Taking
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from segue.storage.api import Cursor
from tests.unit.broker.actors import FakeOutput, FakeSink, World, body_of, record


def take(
    world: World, queue: Queue, most: int = 1, seconds: float = 60, wait_seconds: float = 0
) -> tuple[Taking, list[list[Lease]]]:
    """A taker, and what it has been told so far: nothing, or once."""
    told: list[list[Lease]] = []
    taking = world.node.leases.take(queue, most, seconds, told.append, wait_seconds=wait_seconds)
    world.settle_down()
    return taking, told


def taken(world: World, queue: Queue, most: int = 1, seconds: float = 60) -> list[Lease]:
    _, (leases,) = take(world, queue, most, seconds)
    return leases


def bodies(leases: list[Lease]) -> list[str]:
    return [body_of(lease.record) for lease in leases]


def later(world: World, seconds: float) -> None:
    world.clock.advance(seconds)
    world.node.leases.look_at_deadlines()
    world.settle_down()


def test_messages_are_taken_in_order_and_settled_by_their_ids(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b", "c")
    leases = taken(world, queue, 2)
    assert bodies(leases) == ["a", "b"]
    assert [lease.deliveries for lease in leases] == [1, 1]
    assert len({lease.id for lease in leases}) == 2
    assert queue.statistics().in_flight == 2
    world.node.leases.settle([world.node.leases.lease(lease.id) for lease in leases])
    world.settle_down()
    statistics = queue.statistics()
    assert (statistics.ready, statistics.in_flight, statistics.acknowledged) == (1, 0, 2)
    assert (len(world.node.leases), queue.dispatcher.consumers) == (0, [])
    with pytest.raises(NotHeldError):
        world.node.leases.lease(leases[0].id)


def test_who_has_taken_gets_no_more_and_others_the_next(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b")
    first = taken(world, queue)
    world.node.leases.settle(first)
    world.settle_down()
    assert bodies(taken(world, queue, 5)) == ["b"]
    world.publish(queue, "c")
    assert queue.statistics().ready == 1


def test_an_empty_queue_is_said_at_once_and_nothing_stays_behind(world: World, queue: Queue) -> None:
    assert taken(world, queue) == []
    assert queue.dispatcher.consumers == []


def test_a_taker_that_waits_gets_the_first_message_that_comes(world: World, queue: Queue) -> None:
    _, told = take(world, queue, 5, wait_seconds=30)
    assert told == []
    later(world, 29)
    assert told == []
    world.publish(queue, "a")
    assert [bodies(leases) for leases in told] == [["a"]]
    later(world, 2)
    assert queue.statistics().in_flight == 1


def test_a_taker_waits_no_longer_than_it_said(world: World, queue: Queue) -> None:
    _, told = take(world, queue, wait_seconds=30)
    later(world, 30)
    assert told == [[]]
    world.publish(queue, "a")
    assert queue.statistics().ready == 1


def test_a_taker_that_has_left_takes_nothing(world: World, queue: Queue) -> None:
    taking, told = take(world, queue, wait_seconds=30)
    taking.give_up()
    assert told == [[]]
    world.publish(queue, "a")
    assert queue.statistics().ready == 1


def test_what_nobody_has_seen_goes_back_at_once(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b")
    taking, (leases,) = take(world, queue, 2)
    world.node.leases.settle(leases[1:])
    taking.give_up()
    world.settle_down()
    assert queue.statistics().ready == 1
    with pytest.raises(NotHeldError):
        world.node.leases.lease(leases[0].id)
    assert [(lease.deliveries, body_of(lease.record)) for lease in taken(world, queue)] == [(2, "a")]


def test_a_message_goes_back_to_its_place_when_its_time_is_over(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b")
    lease, other = taken(world, queue, seconds=10)[0], taken(world, queue, seconds=100)[0]
    later(world, 9.9)
    assert len(world.node.leases) == 2
    later(world, 0.1)
    with pytest.raises(NotHeldError):
        world.node.leases.lease(lease.id)
    assert bodies(taken(world, queue)) == ["a"]
    assert world.node.leases.lease(other.id) is other


def test_to_touch_a_lease_makes_it_longer_and_its_old_id_worthless(world: World, queue: Queue) -> None:
    world.publish(queue, "a")
    (lease,) = taken(world, queue, seconds=10)
    old = lease.id
    later(world, 9)
    world.node.leases.touch(lease, 10)
    later(world, 9)
    assert world.node.leases.lease(lease.id) is lease
    with pytest.raises(NotHeldError):
        world.node.leases.lease(old)
    later(world, 1)
    assert queue.statistics().ready == 1


def test_a_message_that_is_released_comes_again_at_once_or_later(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b")
    first, second = taken(world, queue, 2)
    world.node.leases.release(first)
    world.settle_down()
    assert bodies(taken(world, queue, 5)) == ["a"]
    world.node.leases.release(second, 3000)
    world.settle_down()
    assert taken(world, queue) == []
    assert queue.statistics().delayed == 1


def test_a_lease_counts_as_a_delivery_where_there_is_a_limit(world: World) -> None:
    dead = world.node.queue("dead")
    queue = world.node.declare_queue("q", options=QueueOptions(delivery_limit=1, dead_letter="dead"))
    world.publish(queue, "a")
    (lease,) = taken(world, queue)
    world.node.leases.release(lease)
    world.settle_down()
    assert (queue.statistics().ready, dead.statistics().ready) == (0, 1)


def test_takers_stand_in_line_with_consumers(world: World, queue: Queue) -> None:
    _, told = take(world, queue, wait_seconds=30)
    sink, _ = world.consume(queue)
    world.publish(queue, "a")
    world.publish(queue, "b")
    assert [bodies(leases) for leases in told] == [["a"]]
    assert sink.bodies() == ["b"]


def test_the_leases_of_a_queue_that_is_deleted_are_over(world: World, queue: Queue) -> None:
    world.publish(queue, "a")
    (lease,) = taken(world, queue)
    _, told = take(world, queue, wait_seconds=30)
    world.node.delete_queue("q")
    world.settle_down()
    assert told == [[]]
    with pytest.raises(NotHeldError):
        world.node.leases.lease(lease.id)
    later(world, 100)


def test_nothing_is_taken_of_a_queue_that_is_for_one_connection(world: World) -> None:
    session = world.node.open_session("guest", "peer", "stomp", FakeOutput())
    queue = world.node.queue("q")
    session.subscribe_queue(queue, FakeSink(), prefetch=1, settles=True, exclusive=True)
    with pytest.raises(InUseError):
        world.node.leases.take(queue, 1, 60, lambda leases: None)


def test_deadlines_that_nobody_waits_for_are_not_kept_for_a_day(world: World, queue: Queue) -> None:
    for _ in range(3000):
        queue.publish(record("a"))
    world.settle_down()
    for _ in range(3000):
        world.node.leases.settle(taken(world, queue, seconds=86_400))
    assert len(world.node.leases._deadlines) < 1100


def test_messages_that_are_settled_do_not_stay_in_memory_until_their_deadline(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b", "c")
    taking, (leases,) = take(world, queue, 2)
    world.node.leases.settle(leases[:1])
    assert taking.leases == leases
    world.node.leases.settle(leases[1:])
    assert taking.leases == []
    world.node.leases.take(queue, 1, 60, world.node.leases.settle)
    deadlines = len(world.node.leases._deadlines)
    world.settle_down()
    assert (queue.statistics().acknowledged, len(world.node.leases._deadlines)) == (3, deadlines)


def test_no_deadline_is_lost_when_those_that_nobody_waits_for_are_thrown_out(world: World, queue: Queue) -> None:
    for _ in range(1100):
        queue.publish(record("a"))
    world.settle_down()
    for _ in range(1100):
        taken(world, queue, seconds=60)
    later(world, 60)
    assert (queue.statistics().in_flight, len(world.node.leases)) == (0, 0)


def test_a_taker_gets_some_mib_at_most_and_one_message_at_least(world: World, queue: Queue) -> None:
    world.publish(queue, *["x" * (1 << 20)] * 8, "y" * (6 << 20))
    assert [len(taken(world, queue, 100)) for _ in range(3)] == [4, 4, 1]


def test_what_may_have_been_delivered_before_says_so(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b")
    (lease,) = taken(world, queue)
    assert not lease.redelivered
    world.node.leases.release(lease)
    assert [(one.deliveries, one.redelivered) for one in taken(world, queue, 2)] == [(2, True), (1, False)]


def test_what_may_have_been_delivered_before_a_crash_says_so(world: World, queue: Queue) -> None:
    assert isinstance(queue.cursor, Cursor)
    world.publish(queue, "a")
    queue.cursor.maybe = 2
    assert [(one.deliveries, one.redelivered) for one in taken(world, queue)] == [(1, True)]


def test_to_take_from_a_queue_is_to_use_it(world: World) -> None:
    queue = world.node.declare_queue("idle", options=QueueOptions(expires_ms=10_000))
    for _ in range(3):
        world.clock.advance(8)
        taken(world, queue)
        world.node.delete_idle_queues()
    assert queue.open


def test_thousands_who_wait_are_not_looked_through_for_each_further_one(
    world: World, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    leases = world.node.leases
    is_awaited = leases._is_awaited

    def counted(*entry: Any) -> bool:
        nonlocal looks
        looks += 1
        return is_awaited(*entry)

    monkeypatch.setattr(leases, "_is_awaited", counted)
    for _ in range(3000):
        leases.take(queue, 1, 60, lambda _: None, wait_seconds=30)
    assert looks < 3 * 3000


def test_of_messages_taken_together_some_are_prolonged_and_the_rest_comes_back(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b", "c")
    leases = taken(world, queue, 3, seconds=10)
    world.node.leases.touch(leases[1], 60)
    later(world, 11)
    assert queue.statistics().ready == 2
    assert world.node.leases.of(queue) == [leases[1]]
    later(world, 50)
    assert queue.statistics().ready == 3
