"""Who gets which messages when subscriptions and browsers have selectors."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from segue.broker.browse import Browser
from segue.broker.headers import Headers
from segue.broker.message import encode, prefix
from segue.broker.queue import Queue
from segue.broker.selector import Selector, compile_selector
from segue.broker.session import Session, Subscription
from segue.broker.settings import Policy
from segue.broker.topic import DurableSubscription
from tests.unit.broker.actors import FakeSink, World

_EU = "region = 'eu'"


def message(body: str, region: str) -> bytes:
    return encode(*prefix(1, b"region:%b\ncontent-length:%d\n\n" % (region.encode(), len(body))), body.encode())


def publish(world: World, *messages: tuple[str, str]) -> None:
    for body, region in messages:
        world.node.topic("news").publish(message(body, region))
    world.node.store.want()
    world.settle_down()


def subscribe(session: Session, sink: FakeSink, text: str, *, durable: bool) -> Subscription:
    selector = compile_selector(text)
    if durable:
        return session.subscribe_durable("d", "news", sink, prefetch=100, settles=True, selector=selector)
    return session.subscribe_topic("news", sink, prefetch=100, settles=True, selector=selector)


def test_headers_are_looked_up_decoded_and_the_first_counts() -> None:
    headers = Headers(encode(*prefix(1, b"a:1\na:2\nb\\cc:x\\ny\ncontent-length:0\n\n"), b""))
    assert [headers.get(name) for name in ("a", "b:c", "d")] == ["1", "x\ny", None]


@pytest.mark.parametrize("durable", [True, False])
def test_a_subscription_gets_what_it_selects_in_order(world: World, durable: bool) -> None:
    sink, all_of_it = FakeSink(), FakeSink()
    subscribe(world.session(), sink, _EU, durable=durable)
    world.session().subscribe_topic("news", all_of_it, prefetch=100, settles=True)
    publish(world, ("a", "us"), ("b", "eu"), ("c", "eu"), ("d", "us"), ("e", "eu"), ("f", "us"))
    assert sink.bodies() == ["b", "c", "e"]
    assert all_of_it.bodies() == list("abcdef")


def test_what_a_durable_subscription_does_not_select_is_settled_when_it_is_reached(world: World) -> None:
    session = world.session()
    sink = FakeSink()
    subscription = subscribe(session, sink, _EU, durable=True)
    session.close()
    publish(world, *[("x", "us")] * 10_000, ("last", "eu"))
    cursor = subscription.consumer.dispatcher.cursor
    assert cursor.ready == 10_001
    subscribe(world.session(), sink, _EU, durable=True)
    for _ in range(10):
        world.settle_down()
    assert sink.bodies() == ["last"]
    assert (cursor.ready, len(cursor.holes())) == (0, 1)
    assert cursor.log.hot_bytes < 1000


def governed(**options: Any) -> tuple[World, DurableSubscription]:
    """A subscription to messages from the EU, with dead letters, of which the consumer has gone."""
    world = World(policies={"p": Policy("", subscriptions="d", dead_letter="dead", **options)})
    session = world.session()
    subscribe(session, FakeSink(), _EU, durable=True)
    session.close()
    (subscription,) = world.node.topics.durables()
    return world, subscription


def dead_letters(world: World) -> list[str]:
    return world.consume(world.node.queue("dead"))[0].bodies()


def test_what_is_not_selected_is_no_dead_letter_when_it_is_reached_late() -> None:
    world, subscription = governed(message_ttl_ms=1000)
    publish(world, ("a", "us"), ("b", "eu"), ("c", "us"))  # accepted in 1970
    assert subscription.cursor.ready == 3
    subscribe(world.session(), FakeSink(), _EU, durable=True)
    world.settle_down()
    assert dead_letters(world) == ["b"]
    assert subscription.cursor.ready == 0


def test_what_is_not_selected_is_no_dead_letter_when_it_expires_with_nobody_there() -> None:
    world, subscription = governed(message_ttl_ms=1000)
    publish(world, ("a", "us"), ("b", "eu"), ("c", "us"))
    world.node.sweep()
    assert (dead_letters(world), subscription.cursor.ready) == (["b"], 0)
    assert subscription.dispatcher.dead_lettered == 1


def test_what_is_not_selected_is_no_dead_letter_when_it_expires_behind_one_that_does_not() -> None:
    world, subscription = governed()
    publish(world, ("first", "eu"), ("a", "us"), ("b", "eu"))
    records = [message("a", "us"), message("b", "eu")]
    assert subscription.dispatcher.remove_ahead(subscription.cursor, [2, 3], records)
    world.settle_down()
    assert (dead_letters(world), subscription.cursor.ready) == (["b"], 1)


def test_what_is_not_selected_is_no_dead_letter_when_it_goes_for_newer_ones() -> None:
    world, subscription = governed(messages_max=1)
    publish(world, ("a", "us"), ("b", "eu"), ("c", "us"))
    assert (dead_letters(world), subscription.cursor.ready) == (["b"], 1)


def test_with_another_selector_a_durable_subscription_begins_anew(world: World) -> None:
    session = world.session()
    subscribe(session, FakeSink(), _EU, durable=True)
    session.close()
    publish(world, ("old", "eu"))
    same, other = FakeSink(), FakeSink()
    session = world.session()
    subscribe(session, same, "region='eu'", durable=True)
    world.settle_down()
    session.close()
    subscribe(world.session(), other, "region = 'us'", durable=True)
    publish(world, ("a", "eu"), ("b", "us"))
    assert same.bodies() == ["old"]
    assert other.bodies() == ["b"]


def test_the_selector_of_a_durable_subscription_is_in_its_definition(world: World) -> None:
    subscribe(world.session(), FakeSink(), _EU, durable=True)
    (subscription,) = world.node.topics.durables()
    assert compile_selector(subscription.cursor.definition["selector"]) == compile_selector(_EU)


def browsed(queue: Queue, selector: Selector) -> list[bytes]:
    async def browse() -> list[bytes]:
        browser = Browser(queue, selector)
        found = []
        while part := await browser.chunk(100):
            found += [record[-1:] for _, record in part]
        return found

    return trio.run(browse)


def test_a_browser_sees_what_it_selects_and_goes_to_the_end(world: World, queue: Queue) -> None:
    for number in range(50):
        queue.publish(message(str(number % 10), "eu" if number in (3, 48) else "us"))
    world.node.store.want()
    world.settle_down()
    assert browsed(queue, compile_selector(_EU)) == [b"3", b"8"]
