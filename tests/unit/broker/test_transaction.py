"""Transactions: messages and acknowledgements that happen together or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from segue.broker.consumer import Consumer
from segue.broker.errors import LimitReachedError, NotFoundError, NotHeldError
from segue.broker.queue import Queue
from segue.broker.session import Session
from tests.unit.broker.actors import FakeSink, World, record


@pytest.fixture
def session(world: World) -> Session:
    return world.session()


def holding(world: World, queue: Queue, session: Session, *bodies: str, **more: Any) -> tuple[FakeSink, Consumer]:
    """A consumer with these messages out."""
    world.publish(queue, *bodies)
    sink, subscription = world.consume(queue, session=session, **more)
    assert sink.bodies() == list(bodies)
    return sink, subscription.consumer


def out(consumer: Consumer) -> list[int]:
    return list(consumer.unacknowledged)


# Messages -----------------------------------------------------------------------------------------------------------


def test_messages_are_published_at_commit_in_their_order(world: World, queue: Queue, session: Session) -> None:
    other = world.node.queue("other")
    session.begin("t")
    for target, body in ((queue, "1"), (other, "2"), (queue, "3")):
        session.transaction("t").send(target, target.publish, record(body))
    world.settle_down()
    assert queue.statistics().published == 0
    session.commit("t")
    world.settle_down()
    assert world.consume(queue)[0].bodies() == ["1", "3"]
    assert world.consume(other)[0].bodies() == ["2"]


def test_one_commit_is_one_batch(world: World, queue: Queue, session: Session) -> None:
    _, consumer = holding(world, queue, session, "a", "b")
    other = world.node.queue("other")
    world.settle_down()
    before = len(world.store.played_journal.entries)
    session.begin("t")
    transaction = session.transaction("t")
    transaction.acknowledge(consumer, [1])
    transaction.send(other, other.publish, record("x"))
    transaction.send(queue, queue.publish, record("y"))
    transaction.reject(consumer, [2])
    session.commit("t")
    world.node.end_step()
    (batch,) = world.store.played_journal.entries[before:]
    assert len(batch) == 4  # two ENQUEUEs, a RETURN, a SETTLE


def test_nothing_is_published_by_an_abort(world: World, queue: Queue, session: Session) -> None:
    session.begin("t")
    session.transaction("t").send(queue, queue.publish, record("1"))
    session.abort("t")
    world.settle_down()
    assert queue.statistics().published == 0


def test_a_commit_to_a_deleted_queue_changes_nothing(world: World, queue: Queue, session: Session) -> None:
    _, consumer = holding(world, queue, session, "a")
    gone = world.node.queue("gone")
    session.begin("t")
    session.transaction("t").send(queue, queue.publish, record("1"))
    session.transaction("t").send(gone, gone.publish, record("2"))
    session.transaction("t").acknowledge(consumer, [1])
    world.node.delete_queue("gone")
    with pytest.raises(NotFoundError, match="gone"):
        session.commit("t")
    assert queue.statistics().published == 1
    session.abort("t")
    assert out(consumer) == [1]


@pytest.mark.parametrize("count", [1, 3])
def test_a_commit_that_a_temporary_queue_has_no_room_for_changes_nothing(session: Session, count: int) -> None:
    world = World(temporary_queue_bytes_max=3 * (len(record("x" * 50)) + 1))
    session = world.session()
    queue, temporary = world.node.queue("q"), session.temporary_queue("t")
    session.begin("t")
    session.transaction("t").send(queue, queue.publish, record("1"))
    for _ in range(count):
        session.transaction("t").send(temporary, temporary.publish, record("x" * 50))
    published = True
    try:
        session.commit("t")
    except LimitReachedError:
        published = False
    world.settle_down()
    assert queue.statistics().published == int(published)
    assert temporary.statistics().published == (count if published else 0)
    assert published is (count == 1)


@pytest.mark.parametrize(("messages", "size"), [(4, 1), (1, 1 << 16)])
def test_a_transaction_that_would_become_too_large_stays_as_it_was(messages: int, size: int) -> None:
    world = World(transaction_messages_max=3, transaction_bytes_max=1 << 16)
    queue, session = world.node.queue("q"), world.session()
    _, consumer = holding(world, queue, session, *"abcd")
    session.begin("t")
    transaction = session.transaction("t")
    taken = messages - 1
    for _ in range(taken):
        transaction.send(queue, queue.publish, record("x" * size))
    with pytest.raises(LimitReachedError):
        transaction.send(queue, queue.publish, record("x" * size))
    with pytest.raises(LimitReachedError):
        transaction.acknowledge(consumer, [1, 2, 3, 4])
    assert out(consumer) == [1, 2, 3, 4]
    session.commit("t")
    world.settle_down()
    assert queue.statistics().published == 4 + taken
    assert queue.statistics().in_flight == 4 + taken


# Acknowledgements ---------------------------------------------------------------------------------------------------


def test_acknowledgements_take_effect_at_commit(world: World, queue: Queue, session: Session) -> None:
    sink, consumer = holding(world, queue, session, *"abc", prefetch=3)
    session.begin("t")
    session.transaction("t").acknowledge(consumer, [1, 2])
    world.settle_down()
    assert queue.statistics().settled == 0
    assert queue.statistics().in_flight == 3
    assert consumer.credit == 0
    session.commit("t")
    assert consumer.credit == 2
    world.settle_down()
    assert queue.statistics().settled == 2
    assert sink.take() == []


def test_rejected_messages_return_at_commit(world: World, queue: Queue, session: Session) -> None:
    sink, consumer = holding(world, queue, session, *"abc")
    session.begin("t")
    session.transaction("t").reject(consumer, [2, 1])
    assert sink.take() == []
    session.commit("t")
    world.settle_down()
    assert [(one.body, one.deliveries) for one in sink.take()] == [("a", 2), ("b", 2)]
    assert consumer.credit == consumer.prefetch - 3


def test_a_commit_returns_messages_before_it_brings_credit_for_new_ones(
    world: World, queue: Queue, session: Session
) -> None:
    sink, consumer = holding(world, queue, session, *"ab", prefetch=2)
    world.publish(queue, *"cd")
    session.begin("t")
    session.transaction("t").acknowledge(consumer, [2])
    session.transaction("t").reject(consumer, [1])
    session.commit("t")
    world.settle_down()
    assert sink.bodies() == ["a", "c"]


def test_what_is_in_one_transaction_can_be_acknowledged_nowhere_else(
    world: World, queue: Queue, session: Session
) -> None:
    _, consumer = holding(world, queue, session, *"ab")
    session.begin("t")
    session.begin("u")
    session.transaction("t").acknowledge(consumer, [1])
    for attempt in (session.transaction("u").acknowledge, session.transaction("u").reject):
        with pytest.raises(NotHeldError):
            attempt(consumer, [2, 1])
    with pytest.raises(NotHeldError):
        consumer.acknowledge(1)
    assert out(consumer) == [2]


# The order of delivery survives an abort, because a cumulative acknowledgement goes by it ---------------------------


def test_an_abort_puts_messages_back_where_they_were_in_the_order_of_delivery(
    world: World, queue: Queue, session: Session
) -> None:
    _, consumer = holding(world, queue, session, *"abcde")
    session.begin("t")
    session.transaction("t").acknowledge(consumer, consumer.up_to(2))
    session.abort("t")
    assert out(consumer) == [1, 2, 3, 4, 5]
    assert consumer.up_to(1) == [1]  # and not all the others


@pytest.mark.parametrize("order", ["tu", "ut"])
@pytest.mark.parametrize("again", [False, True])
def test_two_aborts_put_messages_back_in_any_order(
    world: World, queue: Queue, session: Session, order: str, again: bool
) -> None:
    _, consumer = holding(world, queue, session, *"abcdef")
    for _ in range(2 if again else 1):
        session.begin("t")
        session.begin("u")
        session.transaction("t").acknowledge(consumer, consumer.up_to(2))
        session.transaction("u").reject(consumer, consumer.up_to(3))
        session.transaction("t").reject(consumer, consumer.up_to(4))
        for name in order:
            session.abort(name)
        assert out(consumer) == [1, 2, 3, 4, 5, 6]


def test_an_abort_knows_what_was_delivered_again_while_it_was_open(
    world: World, queue: Queue, session: Session
) -> None:
    _, consumer = holding(world, queue, session, *"abcd")
    session.begin("t")
    session.transaction("t").acknowledge(consumer, [2])
    world.give_back(consumer, 1)
    world.settle_down()
    assert out(consumer) == [3, 4, 1]
    session.abort("t")
    assert out(consumer) == [2, 3, 4, 1]


def test_an_abort_knows_what_came_while_it_was_open(world: World, queue: Queue, session: Session) -> None:
    _, consumer = holding(world, queue, session, *"abc")
    session.begin("t")
    session.transaction("t").acknowledge(consumer, [2])
    world.publish(queue, *"de")
    session.transaction("t").acknowledge(consumer, [4])
    session.abort("t")
    assert out(consumer) == [1, 2, 3, 4, 5]


# Consumers and queues that go while a transaction is open -----------------------------------------------------------


def test_what_a_transaction_holds_outlives_the_subscription(world: World, queue: Queue, session: Session) -> None:
    _, consumer = holding(world, queue, session, *"abc")
    session.begin("t")
    session.transaction("t").acknowledge(consumer, [1])
    session.transaction("t").reject(consumer, [2])
    session.unsubscribe(session.subscriptions[0])
    world.settle_down()
    assert (queue.statistics().ready, queue.statistics().in_flight) == (1, 2)
    session.commit("t")
    world.settle_down()
    assert world.consume(queue)[0].bodies() == ["b", "c"]
    assert queue.statistics().settled == 1


def test_an_abort_returns_the_messages_of_a_subscription_that_has_ended(
    world: World, queue: Queue, session: Session
) -> None:
    _, consumer = holding(world, queue, session, *"abc")
    session.begin("t")
    session.transaction("t").acknowledge(consumer, [1])
    session.unsubscribe(session.subscriptions[0])
    session.abort("t")
    world.settle_down()
    assert world.consume(queue)[0].bodies() == ["a", "b", "c"]


def test_the_end_of_the_session_returns_everything_at_once(world: World, queue: Queue, session: Session) -> None:
    """FAULTS 35: in order, also for somebody who waits already and has credit for newer ones."""
    _, consumer = holding(world, queue, session, *"abcd", prefetch=4)
    world.publish(queue, *"ef")
    session.begin("t")
    session.transaction("t").acknowledge(consumer, [2])
    session.transaction("t").reject(consumer, [4])
    other, subscription = world.consume(queue, prefetch=10)
    assert other.bodies() == ["e", "f"]
    session.close()
    world.settle_down()
    assert [(one.body, one.deliveries) for one in other.take()] == [("a", 2), ("b", 2), ("c", 2), ("d", 2)]
    assert subscription.consumer.credit == 4


@pytest.mark.parametrize("end", ["commit", "abort", "close"])
def test_a_transaction_ends_after_the_queue_of_its_acknowledgements_was_deleted(
    world: World, queue: Queue, session: Session, end: str
) -> None:
    _, consumer = holding(world, queue, session, *"ab")
    session.begin("t")
    session.transaction("t").acknowledge(consumer, [1])
    session.transaction("t").reject(consumer, [2])
    world.node.delete_queue("q")
    world.settle_down()
    before = len(world.store.played_journal.entries)
    if end == "close":
        session.close()
    else:
        getattr(session, end)("t")
    world.settle_down()
    assert world.store.played_journal.entries[before:] == []
    assert consumer.dispatcher.cursor.returned == {}


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_what_one_durable_subscription_held_when_it_was_deleted_is_still_there_for_the_other(
    world: World, session: Session, end: str
) -> None:
    """A log with one cursor left lets go of what that one settles: the deleted one must not count."""
    mine, other = FakeSink(), FakeSink()
    subscription = session.subscribe_durable("mine", "t", mine, prefetch=10, settles=True)
    left = session.subscribe_durable("other", "t", other, prefetch=10, settles=True)
    session.unsubscribe(left)
    for body in "ab":
        world.node.topic("t").publish(record(body))
    world.node.store.want()
    world.settle_down()
    assert mine.bodies() == ["a", "b"]
    session.begin("x")
    session.transaction("x").acknowledge(subscription.consumer, [1])
    session.transaction("x").reject(subscription.consumer, [2])
    session.unsubscribe(subscription)
    session.delete_durable("mine")
    getattr(session, end)("x")
    world.settle_down()
    session.subscribe_durable("other", "t", other, prefetch=10, settles=True)
    world.settle_down()
    assert other.bodies() == ["a", "b"]


# All transactions together ------------------------------------------------------------------------------------------

MIB = 1 << 20


def crowd(**limits: Any) -> World:
    """A broker whose open transactions may take 16 MiB."""
    return World(memory={"transactions_bytes_max": 16 * MIB}, **{"transaction_bytes_max": 12 * MIB, **limits})


def bytes_counted(session: Session) -> int:
    return session.node.pressure.transaction_bytes


def gather(session: Session, target: Queue, *sizes: int, name: str = "t") -> int:
    """Send messages of so many bytes in a transaction; how many were taken before one was refused."""
    if not session.has_transaction(name):
        session.begin(name)
    for count, size in enumerate(sizes):
        before = bytes_counted(session)
        try:
            session.transaction(name).send(target, target.publish, record("x" * size))
        except LimitReachedError:
            assert bytes_counted(session) == before
            return count
    return len(sizes)


@pytest.mark.parametrize("end", ["commit", "abort", "close"])
def test_the_memory_of_a_transaction_is_counted_until_it_ends(end: str) -> None:
    world = crowd()
    session, queue = world.session(), world.node.queue("q")
    assert gather(session, queue, MIB, MIB) == 2
    assert 2 * MIB < world.node.pressure.transaction_bytes < 2 * MIB + 2000
    assert world.node.pressure.memory_bytes > 2 * MIB
    if end == "close":
        session.close()
    else:
        getattr(session, end)("t")
    assert world.node.pressure.transaction_bytes == 0


def test_a_commit_that_is_refused_leaves_the_transaction_counted_until_its_session_ends() -> None:
    world = crowd()
    session, queue = world.session(), world.node.queue("q")
    gather(session, queue, MIB)
    world.node.delete_queue("q")
    with pytest.raises(NotFoundError):
        session.commit("t")
    assert world.node.pressure.transaction_bytes > MIB
    session.close()
    assert world.node.pressure.transaction_bytes == 0


def test_all_transactions_together_are_bounded_however_many_there_are() -> None:
    """FAULTS 44: 100 connections with 12 MiB each had no bound to speak of."""
    world = crowd()
    queue = world.node.queue("q")
    taken = [gather(world.session(), queue, *[MIB] * 11) for _ in range(100)]
    assert taken[0] == 11
    assert sum(taken[1:]) == 0
    assert world.node.pressure.transaction_bytes <= 16 * MIB


def test_small_transactions_go_on_while_large_ones_take_all_that_is_theirs() -> None:
    world = crowd()
    queue = world.node.queue("q")
    assert gather(world.session(), queue, *[MIB] * 12) == 11
    assert gather(world.session(), queue, MIB) == 0
    for number in range(100):
        session = world.session()
        assert gather(session, queue, *[1000] * 100) == 100
        session.commit("t")
        assert world.node.pressure.transaction_bytes <= 16 * MIB, number


def test_what_is_refused_for_want_of_memory_leaves_the_transaction_as_it_was() -> None:
    world = crowd()
    session, other, queue = world.session(), world.session(), world.node.queue("q")
    gather(session, queue, MIB)
    gather(other, queue, *[MIB] * 10)
    with pytest.raises(LimitReachedError, match=r"memory\.transactions_bytes_max"):
        session.transaction("t").send(queue, queue.publish, record("x" * 5 * MIB))
    session.commit("t")
    assert queue.log.head == 2
