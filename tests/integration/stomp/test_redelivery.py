"""NACK with a delay, and queues that put off by policy, over STOMP and through restarts."""

from __future__ import annotations

import time

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


def test_a_message_comes_again_after_the_delay_of_its_nack(connect: Connect, queue: str) -> None:
    client = connect()
    client.publish_confirmed(queue, b"a")
    client.publish_confirmed(queue, b"b")
    client.subscribe(queue)
    first = client.expect_message(b"a")
    client.expect_message(b"b")
    began = time.monotonic()
    client.nack(first, headers={"delay": "300"}, wait=True)
    again = client.expect_message(b"a")
    assert time.monotonic() - began >= 0.299, "the broker counts in whole milliseconds"
    assert (again["redelivered"], again["x-delivery-count"]) == ("true", "2")
    client.nack(again, headers={"delay": "0"}, wait=True)
    assert client.expect_message(b"a")["x-delivery-count"] == "3"


@pytest.mark.parametrize(
    ("headers", "code", "text"),
    [
        ({"delay": "soon"}, "invalid-header", "milliseconds"),
        ({"delay": "-1"}, "invalid-header", "milliseconds"),
        ({"delay": "9999999999999"}, "invalid-header", "a hundred years"),
    ],
)
def test_what_can_not_be_is_refused(
    connect: Connect, queue: str, headers: dict[str, str], code: str, text: str
) -> None:
    client = connect()
    client.publish_confirmed(queue, b"a")
    client.subscribe(queue)
    message = client.expect_message(b"a")
    client.send_frame("BEGIN", {"transaction": "t"})
    client.nack(message, headers=headers)
    frame = client.expect_error()
    assert frame["error-code"] == code
    assert text in frame.body.decode()


def test_in_a_transaction_the_delay_begins_with_the_commit(connect: Connect, queue: str) -> None:
    client = connect()
    for body in (b"a", b"b", b"c"):
        client.publish_confirmed(queue, body)
    client.subscribe(queue)
    messages = client.expect_messages(b"a", b"b", b"c")
    for name, end in (("given up", "ABORT"), ("done", "COMMIT")):
        client.begin(name)
        for message, delay in zip(messages, ("300", "0", "200"), strict=True):
            client.nack(message, transaction=name, headers={"delay": delay})
        client.send_frame(end, {"transaction": name})
    for body in (b"b", b"c", b"a"):
        assert client.expect_message(body)["x-delivery-count"] == "2"


def test_a_queue_behind_a_topic_puts_off(connect: Connect, queue: str) -> None:
    client = connect()
    name = queue.removeprefix("/queue/")
    client.subscribe(f"/topic/{name}", headers={"x-queue-name": name, "auto-delete": "true"})
    client.publish_confirmed(f"/topic/{name}", b"a")
    client.nack(client.expect_message(b"a"), headers={"delay": "50"})
    assert client.expect_message(b"a")["x-delivery-count"] == "2"


def test_on_a_topic_nothing_can_be_put_off(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe("/topic/put.off")
    client.publish_confirmed("/topic/put.off", b"a")
    client.nack(client.expect_message(b"a"), headers={"delay": "100"})
    assert client.expect_error()["error-code"] == "not-supported"


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_what_was_put_off_survives_with_its_count_and_becomes_a_dead_letter(
    broker_factory: BrokerFactory, end: str
) -> None:
    policy = {"queues": '"q"', "delivery_limit": "3", "dead_letter": '"dead"', "redelivery_delay_ms": "200"}
    broker = broker_factory(settings={f"policies.p.{name}": value.strip('"') for name, value in policy.items()})
    client = broker.client()
    client.publish_confirmed("/queue/q", b"poison")
    for count in ("1", "2", "3"):
        client.subscribe("/queue/q")
        message = client.expect_message(b"poison")
        assert message["x-delivery-count"] == count
        client.nack(message, wait=True)
        client.close()
        if count == "2":
            broker.kill() if end == "kill" else broker.stop()
            broker.start()
        client = broker.client()
    client.subscribe("/queue/dead")
    assert client.expect_message(b"poison")["dead-letter-deliveries"] == "3"
