"""`retain:true`: the last message of a topic, for who subscribes later."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.integration.stomp.conftest import Connect

RETAIN = {"retain": "true"}


def test_the_last_message_survives_a_crash_and_goes_first_to_each_new_subscription(
    broker_factory: BrokerFactory,
) -> None:
    broker = broker_factory()
    client = broker.client()
    for body in (b"20.1", b"20.4"):
        client.publish_confirmed("/topic/room.kitchen", body, headers=RETAIN)
    client.publish_confirmed("/topic/room.hall", b"18.0", headers=RETAIN)
    client.publish_confirmed("/topic/room.attic", b"9.0", headers=RETAIN)
    client.publish_confirmed("/topic/room.attic", b"", headers=RETAIN)
    client.publish_confirmed("/topic/room.cellar", b"not retained")
    broker.kill()
    broker.start()
    client = broker.client()
    client.subscribe("/topic/room.kitchen", id="1", ack="client-individual")
    message = client.expect_message(b"20.4", retained_topic="room.kitchen")
    client.ack(message)
    client.publish_confirmed("/topic/room.kitchen", b"20.5", headers=RETAIN)
    assert client.expect_message(b"20.5").get("retained-topic") is None
    other = broker.client()
    other.subscribe("/topic/room.*")
    found = {other.expect("MESSAGE").body for _ in range(2)}
    assert found == {b"18.0", b"20.5"}
    other.expect_no_message()


def test_what_a_transaction_retains_is_there_with_all_of_it(connect: Connect, queue_name: str) -> None:
    topic = f"/topic/{queue_name}"
    client = connect()
    client.begin("1")
    client.publish(topic, b"first", headers={**RETAIN, "transaction": "1"})
    other = connect()
    other.subscribe(topic, id="1")
    client.commit("1")
    assert other.expect_message(b"first").get("retained-topic") is None
    other.subscribe(topic, id="2")
    other.expect_message(b"first", subscription="2")


def test_a_list_of_topics_retains_each(connect: Connect, queue_name: str) -> None:
    names = [f"/topic/{queue_name}.{word}" for word in "ab"]
    client = connect()
    client.publish_confirmed(",".join(names), b"both", headers=RETAIN)
    client.subscribe(f"/topic/{queue_name}.#")
    client.expect_messages(b"both", b"both")


@pytest.mark.parametrize(
    ("destination", "headers"),
    [
        ("/queue/{}", {}),
        ("/queue/{0},/topic/{0}", {}),
        ("/topic/{}", {"AMQ_SCHEDULED_DELAY": "1000"}),
    ],
)
def test_what_can_not_be_retained_is_refused(
    connect: Connect, queue_name: str, destination: str, headers: dict[str, str]
) -> None:
    client = connect()
    client.send_frame("SEND", {"destination": destination.format(queue_name), **RETAIN, **headers}, b"1")
    client.expect_error("not supported")


def test_more_than_may_be_retained_is_an_error(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(settings={"limits.retained_messages_max": 1})
    client = broker.client()
    client.publish_confirmed("/topic/a", b"1", headers=RETAIN)
    client.publish_confirmed("/topic/b", b"2")
    client.send_frame("SEND", {"destination": "/topic/b", **RETAIN, "receipt": "1"}, b"2")
    assert "limits.retained_messages_max" in client.expect_error("limit reached").body.decode()
