"""Selectors over STOMP: topics, durable subscriptions through a restart, browsers, and what is refused."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_SELECTOR = {"selector": "amount > 100 AND region IN ('eu', 'uk')"}


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_a_subscriber_to_a_topic_gets_what_it_selects(connect: Connect, queue_name: str, version: str) -> None:
    topic = f"/topic/{queue_name}"
    client, publisher = connect(version), connect()
    client.subscribe(topic, headers=_SELECTOR)
    for amount, region in ((50, "eu"), (150, "us"), (200, "eu"), (101, "uk")):
        publisher.publish(topic, b"%d" % amount, headers={"amount": str(amount), "region": region})
    client.expect_messages(b"200", b"101")
    client.expect_no_message()


def test_a_durable_subscription_keeps_its_selector_through_a_restart(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    arguments = {**_SELECTOR, "durable": "true"}
    broker.client().subscribe("/topic/t", id="d", headers=arguments)
    broker.kill()
    broker.start()
    publisher = broker.client()
    for amount in (1, 1000, 2, 2000):
        publisher.publish("/topic/t", b"%d" % amount, headers={"amount": str(amount), "region": "eu"})
    publisher.publish_confirmed("/queue/other")
    broker.kill()
    broker.start()
    client = broker.client()
    client.subscribe("/topic/t", id="d", headers=arguments)
    client.expect_messages(b"1000", b"2000")
    client.expect_no_message()


def test_a_browser_selects(connect: Connect, queue: str) -> None:
    client = connect()
    for amount in (1, 1000, 2, 2000):
        client.publish_confirmed(queue, b"%d" % amount, headers={"amount": str(amount), "region": "eu"})
    client.subscribe(queue, headers={**_SELECTOR, "browser": "true"})
    client.expect_messages(b"1000", b"2000")
    assert client.expect("MESSAGE")["browser"] == "end"


def test_a_selector_that_is_wrong_is_refused_with_the_place(connect: Connect, queue_name: str) -> None:
    client = connect()
    client.subscribe(f"/topic/{queue_name}", wait=False, headers={"selector": "amount >\n> 1"})
    error = client.expect("ERROR")
    assert error["error-code"] == "invalid-header"
    assert b"line 2, column 1" in error.body


def test_consumers_of_a_queue_get_what_they_select_and_the_rest_stays(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, id="large", ack="client-individual", headers={"selector": "amount > 100"})
    client.subscribe(queue, id="small", ack="client-individual", headers={"selector": "amount < 10"})
    for amount in "500", "50", "5", "700":
        client.publish(queue, amount.encode(), headers={"amount": amount})
    got = [client.expect("MESSAGE") for _ in range(3)]
    assert sorted((one["subscription"], one.body) for one in got) == [
        ("large", b"500"),
        ("large", b"700"),
        ("small", b"5"),
    ]
    other = connect()
    other.subscribe(queue, ack="auto")
    message = other.expect("MESSAGE")
    assert (message.body, message["redelivered"], message["x-delivery-count"]) == (b"50", "false", "1")


def test_what_a_selector_has_passed_over_is_there_after_a_crash(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    client = broker.client()
    client.subscribe("/queue/q", ack="client-individual", headers={"selector": "amount > 100"})
    for amount in "5", "500", "7", "700":
        client.publish("/queue/q", amount.encode(), headers={"amount": amount})
    for body in b"500", b"700":
        client.ack(client.expect_message(body), wait=True)
    broker.kill()
    broker.start()
    client = broker.client()
    client.subscribe("/queue/q", ack="auto")
    client.expect_messages(b"5", b"7")


def test_what_is_sent_behind_the_first_selector_of_all_happens_behind_it(broker_factory: BrokerFactory) -> None:
    client = broker_factory().client()
    subscribe = b"SUBSCRIBE\nid:1\ndestination:/topic/t\nselector:a = 1\n\n\0"
    client.send_bytes(subscribe + b"SEND\ndestination:/topic/t\na:1\n\nyes\0SEND\ndestination:/topic/t\na:2\n\nno\0")
    client.expect_messages(b"yes")
    client.expect_no_message()
