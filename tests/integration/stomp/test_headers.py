"""Headers that pass, headers that mean something, and those that are refused (stomp.md §5)."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_PASSED_THROUGH = {
    "correlation-id": "c-1",
    "type": "invoice",
    "timestamp": "1700000000000",
    "app-id": "shop",
    "user-id": "alice",
    "content-type": "application/json;charset=utf-8",
    "content-encoding": "gzip",
    "x-anything": "else",
    "unknown": "kept",
    "priority": "7",
    "JMSType": "x",
    "breadcrumbId": "ID-1",
    "empty": "",
}


@pytest.fixture
def client(connect: Connect, queue: str) -> StompClient:
    """Somebody who takes what it sends."""
    client = connect()
    client.subscribe(queue, ack="auto")
    return client


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_headers_pass_through_unchanged(connect: Connect, queue: str, version: str) -> None:
    consumer = connect(version)
    consumer.subscribe(queue, ack="auto")
    connect(version).publish(queue, b"body", headers=_PASSED_THROUGH)
    frame = consumer.expect_message(b"body")
    assert {name: frame.get(name) for name in _PASSED_THROUGH} == _PASSED_THROUGH


def test_headers_survive_kill_9(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    broker.client().publish_confirmed("/queue/h", b"body", headers=_PASSED_THROUGH)
    broker.kill()
    broker.start()
    client = broker.client()
    client.subscribe("/queue/h")
    frame = client.expect_message(b"body")
    assert {name: frame.get(name) for name in _PASSED_THROUGH} == _PASSED_THROUGH


@pytest.mark.parametrize("value", ["0", "-1", "2147483648000", "4294967296000", "9" * 30, "not a time"])
def test_a_time_stamp_of_any_year_passes(client: StompClient, queue: str, value: str) -> None:
    """Fault 48: it is the sender's, not ours."""
    client.publish(queue, headers={"timestamp": value})
    client.expect_message(timestamp=value)


def test_a_receipt_and_a_transaction_are_not_passed_on(client: StompClient, queue: str) -> None:
    client.begin("t")
    client.publish(queue, b"1", receipt="r", transaction="t")
    client.send_frame("COMMIT", {"transaction": "t"})
    while (frame := client.receive()).command != "MESSAGE":
        continue
    assert "receipt" not in frame
    assert "transaction" not in frame


@pytest.mark.parametrize("name", ["message-id", "subscription", "ack", "redelivered", "x-delivery-count"])
def test_what_the_broker_says_of_a_message_cannot_be_forged(client: StompClient, queue: str, name: str) -> None:
    client.publish(queue, headers={name: "forged"})
    frame = client.expect_message()
    assert [value for key, value in frame.headers if key == name and value == "forged"] == []


@pytest.mark.parametrize("value", ["true", "false"])
def test_persistent_is_echoed(client: StompClient, queue: str, value: str) -> None:
    client.publish(queue, headers={"persistent": value})
    client.expect_message(persistent=value)


def test_a_message_is_stored_whatever_other_brokers_default_to(broker_factory: BrokerFactory) -> None:
    """RabbitMQ and ActiveMQ take a message without `persistent:true` for one that may be lost."""
    broker = broker_factory()
    client = broker.client()
    client.publish_confirmed("/queue/p", b"none")
    client.publish_confirmed("/queue/p", b"true", headers={"persistent": "true"})
    broker.kill()
    broker.start()
    other = broker.client()
    other.subscribe("/queue/p", ack="auto")
    other.expect_messages(b"none", b"true")


def test_a_message_that_is_not_persistent_is_delivered_in_its_place(connect: Connect, queue: str) -> None:
    producer = connect()
    for number in range(20):
        producer.publish(queue, b"%d" % number, headers={"persistent": "false" if number % 2 else "true"})
    producer.disconnect()
    consumer = connect()
    consumer.subscribe(queue, ack="auto")
    consumer.expect_messages(*(b"%d" % number for number in range(20)))


_CHANGE_DELIVERY = {
    "x-dead-letter-exchange": ("SUBSCRIBE", "dlx"),
    "x-stream-offset": ("SUBSCRIBE", "first"),
    "x-stream-filter": ("SUBSCRIBE", "a"),
    "x-max-age": ("SUBSCRIBE", "1h"),
}


@pytest.mark.parametrize("name", _CHANGE_DELIVERY)
def test_a_header_that_would_change_delivery_is_refused_and_not_ignored(
    connect: Connect, queue: str, name: str
) -> None:
    command, value = _CHANGE_DELIVERY[name]
    client = connect()
    client.send_frame(command, {"destination": queue, "id": "1", name: value, "receipt": "r"})
    error = client.expect_error()
    assert name in error["message"] or name.encode() in error.body


@pytest.mark.parametrize(("name", "value"), [("expires", "0"), ("priority", "4"), ("JMSType", "a")])
def test_a_header_that_changes_nothing_is_taken(connect: Connect, queue: str, name: str, value: str) -> None:
    """JMS bridges send `expires:0`, never, with every message."""
    client = connect()
    client.subscribe(queue, ack="auto")
    client.publish(queue, b"1", headers={name: value})
    client.expect_message(b"1")


@pytest.mark.parametrize(
    "name", ["activemq.retroactive", "activemq.dispatchAsync", "activemq.maximumPendingMessageLimit"]
)
def test_a_hint_is_ignored(connect: Connect, queue: str, name: str) -> None:
    client = connect()
    client.subscribe(queue, ack="auto", headers={name: "true"})
    client.publish(queue, b"1")
    client.expect_message(b"1")
