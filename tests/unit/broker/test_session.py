"""Sessions: what they may open, whose queues are whose, and that nothing of them is left at the end."""

from __future__ import annotations

from typing import Any

import pytest

from segue.broker.errors import InUseError, LimitReachedError, NotFoundError, TransactionError
from segue.broker.session import Session
from tests.unit.broker.actors import FakeSink, World, record


def subscribe(session: Session, kind: str, name: str = "x") -> Any:
    options: dict[str, Any] = {"prefetch": 10, "settles": True}
    match kind:
        case "queue":
            return session.subscribe_queue(session.node.queue(name), FakeSink(), **options)
        case "topic":
            return session.subscribe_topic(name, FakeSink(), **options)
    return session.subscribe_durable(name, "t", FakeSink(), **options)


# Limits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["queue", "topic", "durable"])
def test_a_session_has_no_more_subscriptions_than_the_limit(kind: str) -> None:
    world = World(subscriptions_per_connection_max=2)
    session = world.session()
    first = subscribe(session, "queue")
    subscribe(session, "topic")
    logs = len(world.store.logs)
    with pytest.raises(LimitReachedError, match="subscriptions_per_connection_max"):
        subscribe(session, kind, "x")
    assert len(world.store.logs) == logs
    session.unsubscribe(first)
    subscribe(session, kind, "x")


def test_a_session_has_no_more_transactions_and_temporary_queues_than_the_limits() -> None:
    world = World(transactions_per_connection_max=1, temporary_queues_per_connection_max=1)
    session = world.session()
    session.begin("a")
    session.temporary_queue("a")
    with pytest.raises(LimitReachedError, match="transactions_per_connection_max"):
        session.begin("b")
    with pytest.raises(LimitReachedError, match="temporary_queues_per_connection_max"):
        session.temporary_queue("b")
    assert session.temporary_queue("a") is session.temporary_queue("a")
    session.abort("a")
    session.begin("b")
    assert (session.has_transaction("a"), session.has_transaction("b")) == (False, True)


@pytest.mark.parametrize("end", ["commit", "abort", "transaction"])
def test_a_transaction_that_is_not_open_can_not_be_used(world: World, end: str) -> None:
    """FAULTS 43."""
    session = world.session()
    session.begin("t")
    with pytest.raises(TransactionError):
        session.begin("t")
    session.commit("t")
    with pytest.raises(TransactionError):
        getattr(session, end)("t")
    assert not session.has_transaction("t")


# Whose queue it is --------------------------------------------------------------------------------------------------


def test_a_sole_consumer_is_alone_until_the_last_subscription_of_its_session_ends(world: World) -> None:
    queue = world.node.queue("q")
    session, other = world.session(), world.session()
    first = session.subscribe_queue(queue, FakeSink(), prefetch=1, settles=True, exclusive=True)
    second = session.subscribe_queue(queue, FakeSink(), prefetch=1, settles=True)
    for ended in (first, second):
        with pytest.raises(InUseError, match="belongs to another"):
            subscribe(other, "queue", "q")
        session.unsubscribe(ended)
    subscribe(other, "queue", "q")
    with pytest.raises(InUseError, match="other consumers"):
        session.subscribe_queue(queue, FakeSink(), prefetch=1, settles=True, exclusive=True)
    assert world.node.queues["q"].open


def test_an_exclusive_queue_outlives_its_subscriptions_and_goes_with_its_session(world: World) -> None:
    session, other = world.session(), world.session()
    queue = session.exclusive_queue("mine")
    session.unsubscribe(session.subscribe_queue(queue, FakeSink(), prefetch=1, settles=True, exclusive=True))
    with pytest.raises(InUseError):
        other.subscribe_queue(queue, FakeSink(), prefetch=1, settles=True)
    assert session.exclusive_queue("mine") is queue
    world.node.delete_queue("mine")
    again = session.exclusive_queue("mine")
    assert again is not queue
    session.close()
    assert world.node.queues == {}


def test_a_queue_that_was_there_is_nobodys_by_being_asked_for(world: World) -> None:
    world.node.queue("q")
    session = world.session()
    session.exclusive_queue("q")
    session.close()
    assert "q" in world.node.queues


def test_an_auto_delete_queue_goes_with_its_last_consumer(world: World) -> None:
    world.node.declare_queue("q", auto_delete=True)
    one, other = world.session(), world.session()
    subscription = subscribe(one, "queue", "q")
    subscribe(other, "queue", "q")
    one.unsubscribe(subscription)
    assert "q" in world.node.queues
    other.close()
    assert world.node.queues == {}


# Durable subscriptions ----------------------------------------------------------------------------------------------


def publish(world: World, *bodies: str) -> None:
    for body in bodies:
        world.node.topic("t").publish(record(body))
    world.store.want()
    world.settle_down()


def test_a_durable_subscription_goes_on_where_it_stopped(world: World) -> None:
    session = world.session()
    session.unsubscribe(subscribe(session, "durable"))
    publish(world, *"ab")
    sink = FakeSink()
    session.subscribe_durable("x", "t", sink, prefetch=1, settles=True)
    world.settle_down()
    assert sink.bodies() == ["a"]
    session.close()
    later = FakeSink()
    world.session().subscribe_durable("x", "t", later, prefetch=9, settles=True)
    world.settle_down()
    assert [(one.body, one.redelivered) for one in later.take()] == [("a", True), ("b", False)]


def test_a_durable_subscription_has_one_consumer(world: World) -> None:
    session = world.session()
    subscribe(session, "durable")
    with pytest.raises(InUseError, match="consumer already"):
        subscribe(world.session(), "durable")
    with pytest.raises(InUseError, match="has a consumer"):
        world.session().delete_durable("x")
    with pytest.raises(NotFoundError):
        session.delete_durable("y")


def test_a_durable_subscription_to_another_topic_begins_anew_also_at_the_limit() -> None:
    world = World(queues_max=1)
    session = world.session()
    session.unsubscribe(subscribe(session, "durable"))
    publish(world, "a")
    sink = FakeSink()
    session.subscribe_durable("x", "other", sink, prefetch=9, settles=True)
    publish(world, "b")
    world.node.topic("other").publish(record("c"))
    world.store.want()
    world.settle_down()
    assert sink.bodies() == ["c"]
    assert [(one.name, one.pattern) for one in world.node.topics.durables()] == [("x", "other")]


# The end ------------------------------------------------------------------------------------------------------------


def test_nothing_of_a_session_is_left_when_it_is_closed(world: World) -> None:
    session = world.session()
    for kind in ("queue", "topic", "durable"):
        subscribe(session, kind)
    world.publish(session.temporary_queue("t"), "a")
    session.subscribe_queue(session.temporary_queue("t"), FakeSink(), prefetch=1, settles=True)
    session.begin("x")
    world.publish(world.node.queue("x"), "b")
    found = session.statistics()
    assert (found["subscriptions"], found["transactions"], found["in_flight"]) == (4, 1, 2)
    session.close()
    session.close()
    world.settle_down()
    assert world.node.sessions == {}
    assert world.node.temporary == {}
    assert session.subscriptions == []
    assert world.node.queue("x").statistics().consumers == 0
    assert world.node.pressure.buffer_bytes == 0
    assert [log.journaled for log in world.store.logs.values()] == [True, True]
