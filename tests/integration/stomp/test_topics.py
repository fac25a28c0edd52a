"""Topics: fan-out, wildcards, durable subscriptions (stomp.md §5)."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_VERSIONS = ["1.0", "1.1", "1.2"]


@pytest.fixture
def topic(queue: str) -> str:
    """A topic that no other test knows."""
    return queue.replace("/queue/", "/topic/")


@pytest.mark.parametrize("version", _VERSIONS)
def test_every_subscriber_gets_its_copy(connect: Connect, topic: str, version: str) -> None:
    subscribers = [connect(version) for _ in range(3)]
    for subscriber in subscribers:
        subscriber.subscribe(topic, ack="auto")
    producer = connect(version)
    for number in range(5):
        producer.publish(topic, b"%d" % number)
    for subscriber in subscribers:
        subscriber.expect_messages(*(b"%d" % number for number in range(5)))


def test_who_comes_later_gets_what_comes_later(connect: Connect, topic: str) -> None:
    connect().publish_confirmed(topic, b"before")
    client = connect()
    client.subscribe(topic, ack="auto")
    client.publish(topic, b"after")
    client.expect_message(b"after")
    client.expect_no_message()


def test_a_topic_and_a_queue_of_the_same_name_are_two_things(connect: Connect, topic: str, queue: str) -> None:
    client = connect()
    client.subscribe(topic, id="t", ack="auto")
    client.subscribe(queue, id="q", ack="auto")
    client.publish(queue, b"1")
    client.expect_message(b"1", subscription="q")
    client.expect_no_message()


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*", ["a"], ["a.b"]),
        ("a.*", ["a.b", "a.c"], ["a", "a.b.c", "b.a"]),
        ("*.b", ["a.b", "c.b"], ["b", "a.b.c"]),
        ("a.*.c", ["a.b.c"], ["a.c", "a.b.b.c"]),
        ("a.#", ["a", "a.b", "a.b.c"], ["b", "ab"]),
        ("#", ["a", "a.b.c.d"], []),
        ("#.z", ["z", "a.z", "a.b.z"], ["z.a"]),
        ("a.#.z", ["a.z", "a.b.z", "a.b.c.z"], ["a", "z"]),
        ("a.>", ["a.b", "a.b.c"], ["b.a"]),
        (">", ["a", "a.b"], []),
    ],
)
def test_a_wildcard_takes_what_it_says(
    connect: Connect, topic: str, pattern: str, matching: list[str], other: list[str]
) -> None:
    client = connect()
    client.subscribe(f"{topic}.{pattern}", ack="auto")
    for name in [*other, *matching]:
        client.publish(f"{topic}.{name}", name.encode())
    for name in matching:
        client.expect_message(name.encode(), destination=f"{topic}.{name}")
    client.expect_no_message()


def test_a_message_that_matches_two_subscriptions_comes_to_both(connect: Connect, topic: str) -> None:
    client = connect()
    client.subscribe(f"{topic}.*", id="star", ack="auto")
    client.subscribe(f"{topic}.#", id="hash", ack="auto")
    client.publish(f"{topic}.a", b"1")
    assert {client.expect_message(b"1")["subscription"] for _ in range(2)} == {"star", "hash"}


def test_unsubscribe_ends_a_topic_subscription(connect: Connect, topic: str) -> None:
    client = connect()
    client.subscribe(topic, ack="auto")
    client.unsubscribe()
    client.publish(topic, b"1")
    client.expect_no_message()


@pytest.mark.parametrize("ack", ["client", "client-individual"])
def test_a_topic_message_may_be_acknowledged(connect: Connect, topic: str, ack: str) -> None:
    client = connect()
    client.subscribe(topic, ack=ack)
    client.publish(topic, b"1")
    client.ack(client.expect_message(b"1"), wait=True)


def test_a_client_does_not_hear_itself_with_no_local(connect: Connect, topic: str) -> None:
    for header in ("no-local", "activemq.noLocal"):
        client, other = connect(), connect()
        client.subscribe(topic, ack="auto", headers={header: "true"})
        client.publish(topic, b"own")
        other.publish(topic, b"other's")
        client.expect_message(b"other's")
        client.expect_no_message()


# Durable subscriptions, as clients of RabbitMQ, ActiveMQ and Artemis ask for them.


def rabbit(client: StompClient, topic: str, name: str) -> None:
    client.subscribe(topic, id=name, ack="auto", headers={"durable": "true", "auto-delete": "false"})


def activemq(client: StompClient, topic: str, name: str) -> None:
    client.subscribe(topic, id=name, ack="auto", headers={"activemq.subscriptionName": name})


def artemis(client: StompClient, topic: str, name: str) -> None:
    client.subscribe(topic, id=name, ack="auto", headers={"durable-subscription-name": name})


def artemis_too(client: StompClient, topic: str, name: str) -> None:
    client.subscribe(topic, id=name, ack="auto", headers={"durable-subscriber-name": name})


_DIALECTS = [rabbit, activemq, artemis, artemis_too]


@pytest.mark.parametrize("subscribe", _DIALECTS, ids=lambda function: function.__name__)
def test_a_durable_subscriber_gets_what_was_sent_while_it_was_away(
    connect: Connect, topic: str, subscribe: object
) -> None:
    assert callable(subscribe)
    first = connect(client_id="c1")
    subscribe(first, topic, "durable-1")
    first.publish(topic, b"1")
    first.expect_message(b"1")
    first.disconnect()
    for body in (b"2", b"3"):
        connect().publish_confirmed(topic, body)
    again = connect(client_id="c1")
    subscribe(again, topic, "durable-1")
    again.expect_messages(b"2", b"3")
    again.expect_no_message()


@pytest.mark.parametrize(
    ("subscribe", "headers"),
    [
        (rabbit, {"durable": "true"}),
        (activemq, {"activemq.subscriptionName": "gone"}),
        (artemis, {"durable-subscription-name": "gone"}),
        (artemis_too, {"durable-subscriber-name": "gone"}),
    ],
    ids=["rabbit", "activemq", "artemis", "artemis-too"],
)
def test_a_durable_subscription_is_deleted_by_unsubscribe_with_its_name(
    connect: Connect, topic: str, subscribe: object, headers: dict[str, str]
) -> None:
    assert callable(subscribe)
    client = connect(client_id="c2")
    subscribe(client, topic, "gone")
    client.unsubscribe("gone", headers=headers)
    client.publish_confirmed(topic, b"1")
    client.disconnect()
    again = connect(client_id="c2")
    subscribe(again, topic, "gone")
    again.publish(topic, b"2")
    again.expect_message(b"2")


def test_unsubscribe_without_the_name_keeps_a_durable_subscription(connect: Connect, topic: str) -> None:
    client = connect()
    rabbit(client, topic, "kept")
    client.unsubscribe("kept")
    client.publish_confirmed(topic, b"1")
    client.disconnect()
    again = connect()
    rabbit(again, topic, "kept")
    again.expect_message(b"1")


def test_a_durable_subscription_survives_kill_9(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    client = broker.client()
    for number in range(3):
        rabbit(client, "/topic/news", f"reader-{number}")
    client.disconnect()
    for body in (b"1", b"2"):
        broker.client().publish_confirmed("/topic/news", body)
    broker.kill()
    broker.start()
    other = broker.client()
    for number in range(3):
        rabbit(other, "/topic/news", f"reader-{number}")
        bodies = [other.expect_message(subscription=f"reader-{number}").body for _ in range(2)]
        assert bodies == [b"1", b"2"]


def test_a_durable_subscription_with_client_ack_keeps_what_was_not_acknowledged(connect: Connect, topic: str) -> None:
    headers = {"durable": "true", "auto-delete": "false"}
    client = connect()
    client.subscribe(topic, id="d", headers=headers)
    for body in (b"1", b"2", b"3"):
        client.publish_confirmed(topic, body)
    messages = client.expect_messages(b"1", b"2", b"3")
    client.ack(messages[1], wait=True)
    client.disconnect()
    again = connect()
    again.subscribe(topic, id="d", headers=headers)
    for frame in again.expect_messages(b"1", b"3"):
        assert frame["redelivered"] == "true"


def test_a_durable_subscription_with_wildcards(connect: Connect, topic: str) -> None:
    client = connect()
    rabbit(client, f"{topic}.*.red", "wild")
    client.disconnect()
    producer = connect()
    for name in ("a.red", "a.blue", "b.red"):
        producer.publish_confirmed(f"{topic}.{name}", name.encode())
    again = connect()
    rabbit(again, f"{topic}.*.red", "wild")
    again.expect_messages(b"a.red", b"b.red")
    again.expect_no_message()


def test_x_queue_name_names_the_queue_behind_a_topic_subscription(connect: Connect, topic: str, queue: str) -> None:
    name = queue.removeprefix("/queue/") + "-behind"
    client = connect()
    headers = {"x-queue-name": name, "durable": "true", "auto-delete": "false"}
    client.subscribe(topic, id="x", ack="auto", headers=headers)
    client.disconnect()
    connect().publish_confirmed(topic, b"1")
    other = connect()
    other.subscribe(f"/amq/queue/{name}", ack="auto")
    other.expect_message(b"1")


def test_queues_behind_a_virtual_topic_each_get_every_message_and_share_it_among_their_consumers(
    broker_factory: BrokerFactory,
) -> None:
    """ActiveMQ: `Consumer.NAME.VirtualTopic.TOPIC`."""
    broker = broker_factory()
    names = ["/queue/Consumer.billing.VirtualTopic.orders", "/queue/Consumer.stock.VirtualTopic.orders"]
    for name in names:
        broker.client().subscribe(name)
    publisher = broker.client()
    publisher.publish_confirmed("/topic/VirtualTopic.orders", b"1")
    broker.kill()
    broker.start()
    publisher = broker.client()
    publisher.publish_confirmed("/topic/VirtualTopic.orders", b"2")
    publisher.publish_confirmed("/topic/VirtualTopic.others", b"3")
    for name in names:
        client, other = broker.client(), broker.client()
        client.subscribe(name, headers={"prefetch-count": "1"})
        client.expect_message(b"1")
        other.subscribe(name)
        other.expect_message(b"2")
        other.expect_no_message()
