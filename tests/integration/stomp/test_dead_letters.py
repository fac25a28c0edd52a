"""Dead letters over STOMP: refused messages and those that came back too often, through restarts and kills."""

from __future__ import annotations

import json

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import StompClient
from tests.helpers.stomp_frames import Frame
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


def consume(client: StompClient, queue: str, **arguments: str) -> None:
    headers = {name.replace("_", "-"): value for name, value in arguments.items()}
    client.subscribe(queue, ack="client-individual", headers=headers)


def only_message(client: StompClient, queue: str) -> Frame:
    client.subscribe(queue, id="dead")
    message = client.expect_message()
    client.expect_no_message()
    return message


@pytest.mark.parametrize("names", ["ours", "rabbitmq"])
def test_a_refused_message_is_found_in_the_dead_letter_queue(connect: Connect, queue: str, names: str) -> None:
    dead = queue.removeprefix("/queue/") + "-dead"
    arguments = (
        {"x-dead-letter-queue": dead}
        if names == "ours"
        else {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    )
    client = connect()
    client.subscribe(queue, ack="client-individual", headers=arguments)
    client.publish_confirmed(queue, b"bad", headers={"order": "7"})
    client.nack(client.expect_message(), headers={"requeue": "false"}, wait=True)
    client.expect_no_message()
    message = only_message(connect(), f"/queue/{dead}")
    assert (message.body, message["order"], message["x-delivery-count"]) == (b"bad", "7", "1")
    assert (message["dead-letter-from"], message["dead-letter-reason"]) == (queue.removeprefix("/queue/"), "rejected")
    assert message["dead-letter-deliveries"] == "1"
    assert json.loads(message["x-death"])[0]["queue"] == queue.removeprefix("/queue/")


def test_a_message_that_comes_back_too_often_is_found_there_too(connect: Connect, queue: str) -> None:
    """Fault 41."""
    dead = queue.removeprefix("/queue/") + "-dead"
    client = connect()
    consume(client, queue, x_dead_letter_queue=dead, x_delivery_limit="2")
    client.publish_confirmed(queue, b"poison")
    client.nack(client.expect_message(), wait=True)
    client.nack(client.expect_message(), wait=True)
    client.expect_no_message()
    message = only_message(connect(), f"/queue/{dead}")
    assert (message["dead-letter-reason"], message["dead-letter-deliveries"]) == ("delivery_limit", "2")


def test_a_consumer_that_dies_of_a_message_is_not_killed_by_it_for_ever(broker_factory: BrokerFactory) -> None:
    """Fault 41. The broker is killed each time, too: the count is durable."""
    broker = broker_factory()
    client = broker.client()
    consume(client, "/queue/q", x_dead_letter_queue="dead", x_delivery_limit="3")
    client.publish_confirmed("/queue/q", b"poison")
    for deliveries in ("1", "2", "3"):
        assert client.expect_message()["x-delivery-count"] == deliveries
        client.close()
        watcher = broker.client()
        watcher.publish_confirmed("/queue/other", b"")  # what came back is on disk
        broker.kill()
        broker.start()
        client = broker.client()
        consume(client, "/queue/q")
    client.expect_no_message()
    assert only_message(client, "/queue/dead")["dead-letter-deliveries"] == "3"


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_after_a_confirmed_refusal_a_message_is_in_one_place_whatever_happens(
    broker_factory: BrokerFactory, end: str
) -> None:
    broker = broker_factory()
    client = broker.client()
    consume(client, "/queue/q", x_dead_letter_queue="dead")
    for number in range(200):
        client.publish("/queue/q", b"%d" % number)
    messages = [client.expect_message() for _ in range(100)]
    for message in messages[:-1]:
        client.nack(message, headers={"requeue": "false"})
    client.nack(messages[-1], headers={"requeue": "false"}, wait=True)
    broker.kill() if end == "kill" else broker.stop()
    broker.start()
    left, dead = broker.client(), broker.client()
    left.subscribe("/queue/q")
    dead.subscribe("/queue/dead")
    assert [left.expect_message().body for _ in range(100)] == [b"%d" % number for number in range(100, 200)]
    assert [dead.expect_message().body for _ in range(100)] == [b"%d" % number for number in range(100)]
    left.expect_no_message()
    dead.expect_no_message()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-dead-letter-exchange": "amq.topic", "x-dead-letter-routing-key": "a"}, "not-supported"),
        ({"x-dead-letter-exchange": ""}, "missing-header"),
        ({"x-delivery-limit": "0"}, "invalid-header"),
        ({"x-delivery-limit": "many"}, "invalid-header"),
        ({"x-dead-letter-queue": ""}, "invalid-destination"),
    ],
)
def test_what_can_not_be_obeyed_is_refused(connect: Connect, queue: str, headers: dict[str, str], code: str) -> None:
    client = connect()
    client.subscribe(queue, wait=False, headers=headers)
    assert client.expect("ERROR")["error-code"] == code
