"""Durable subscriptions under policies: bounded, expiring, with dead letters, each by itself on a shared log."""

from __future__ import annotations

import pytest

from segue.broker.message import decode
from segue.broker.settings import Policy
from segue.broker.topic import DurableSubscription
from tests.unit.broker.actors import FakeSink, World, header, record


def subscribe(world: World, name: str, *, prefetch: int = 100) -> tuple[FakeSink, DurableSubscription]:
    sink = FakeSink()
    subscription = world.session().subscribe_durable(name, "t", sink, prefetch=prefetch, settles=True)
    world.settle_down()
    assert isinstance(subscription.source, DurableSubscription)
    return sink, subscription.source


def leave(world: World, subscription: DurableSubscription) -> None:
    for consumer in list(subscription.dispatcher.consumers):
        world.node.sessions[consumer.session_id].close()
    world.settle_down()


def publish(world: World, *bodies: str) -> None:
    for body in bodies:
        world.node.topic("t").publish(record(body))
    world.store.want()
    world.settle_down()


def governed(**options: object) -> World:
    return World(policies={"p": Policy("", subscriptions="d*", **options)})  # type: ignore[arg-type]


def test_a_bounded_subscription_lets_its_oldest_go_and_others_keep_theirs() -> None:
    world = governed(messages_max=2)
    for name in ("d", "other"):
        leave(world, subscribe(world, name)[1])
    publish(world, *"abcde")
    sink, subscription = subscribe(world, "d")
    assert (sink.bodies(), subscription.dispatcher.dropped) == (["d", "e"], 3)
    assert subscribe(world, "other")[0].bodies() == ["a", "b", "c", "d", "e"]


def test_what_a_subscription_can_not_keep_goes_to_its_dead_letter_queue() -> None:
    world = governed(messages_max=1, dead_letter="missed")
    leave(world, subscribe(world, "d")[1])
    publish(world, "a", "b")
    queue = world.node.queue("missed")
    letter = queue.log.find(1)
    assert letter is not None
    assert header(decode(letter), "dead-letter-from") == "d"
    assert header(decode(letter), "dead-letter-reason") == "maxlen"
    assert world.consume(queue)[0].bodies() == ["a"]


def test_a_message_that_comes_back_too_often_is_a_dead_letter_of_this_subscription_alone() -> None:
    world = governed(delivery_limit=2, dead_letter="dead")
    sinks = {name: subscribe(world, name) for name in ("d", "other")}
    publish(world, "a")
    for _ in range(2):
        for _, subscription in sinks.values():
            world.give_back(subscription.dispatcher.consumers[0], 1)
    assert [delivery.deliveries for delivery in sinks["d"][0].take()] == [1, 2]
    assert [delivery.deliveries for delivery in sinks["other"][0].take()] == [1, 2, 3]
    assert world.consume(world.node.queue("dead"))[0].bodies() == ["a"]


def test_messages_of_a_subscription_expire_by_policy() -> None:
    world = governed(message_ttl_ms=1000)
    leave(world, subscribe(world, "d")[1])
    publish(world, "a")  # accepted in 1970
    world.node.sweep()
    assert world.node.topics.durable("d").cursor.ready == 0  # type: ignore[union-attr]


def test_a_policy_that_is_set_holds_for_subscriptions_that_are_there_until_it_is_deleted(world: World) -> None:
    _, subscription = subscribe(world, "d")
    leave(world, subscription)
    publish(world, "a", "b", "c")
    world.node.policy_book.set("p", Policy("", subscriptions="d", messages_max=1, message_ttl_ms=1, delivery_limit=1))
    assert world.node.apply_policies_to_subscription(subscription)
    world.settle_down()
    assert subscription.dispatcher.dropped == 2
    world.node.policy_book.delete("p")
    world.node.apply_policies_to_subscription(subscription)
    dispatcher = subscription.dispatcher
    assert (dispatcher.bound, dispatcher.expiry, dispatcher.delivery_limit, dispatcher.bury) == (None, None, 0, None)
    publish(world, "d", "e")
    assert subscribe(world, "d")[0].bodies() == ["c", "d", "e"]


def test_what_waits_for_its_burial_is_moved_when_the_subscription_is_deleted() -> None:
    world = governed(dead_letter="dead")
    _, subscription = subscribe(world, "d")
    publish(world, "a")
    consumer = subscription.dispatcher.consumers[0]
    session = world.node.sessions[consumer.session_id]
    session.refuse(consumer, [1])
    session.close()
    world.session().delete_durable("d")
    world.settle_down()
    assert world.consume(world.node.queue("dead"))[0].bodies() == ["a"]


@pytest.mark.parametrize("option", ["overflow", "bytes_max", "expires_ms"])
def test_what_only_a_queue_can_do_is_passed_over(option: str) -> None:
    world = governed(**{option: {"overflow": "refuse"}.get(option, 1)})
    _, subscription = subscribe(world, "d")
    assert (subscription.dispatcher.bound, world.node.policies.subscription_options("d").as_definition()) == (None, {})
