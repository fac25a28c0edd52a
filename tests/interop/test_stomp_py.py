"""stomp.py 9.0.0, the usual client of Python, over STOMP 1.0, 1.1 and 1.2, and over WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stomp
import stomp.exception

from tests.helpers.broker_process import BrokerProcess
from tests.interop.inbox import Inbox

__all__: list[str] = []

_CLASSES = {
    "1.0": stomp.Connection10,
    "1.1": stomp.Connection11,
    "1.2": stomp.Connection12,
    "1.2 over WebSocket": stomp.WSConnection,
}

Open = Callable[..., tuple[Any, Inbox]]


@pytest.fixture(params=_CLASSES)
def way(request: pytest.FixtureRequest) -> str:
    """Each way in which stomp.py speaks STOMP."""
    return str(request.param)


@pytest.fixture
def version(way: str) -> str:
    """The version of STOMP that is spoken."""
    return way.partition(" ")[0]


@pytest.fixture
def queue(queue_name: str) -> str:
    """A queue that no other test knows."""
    return f"/queue/{queue_name}"


@pytest.fixture
def open_connection(module_broker: BrokerProcess, way: str) -> Iterator[Open]:
    """Connect as a program with stomp.py does, and give back the connection and what it hears."""
    opened: list[tuple[Any, Inbox]] = []

    def connect(*, user: str = "guest", passcode: str = "guest", wait: bool = True, **options: Any) -> Any:
        headers = options.pop("headers", {})
        over_websocket = {"ws_path": "/ws", "binary_mode": True} if "WebSocket" in way else {}
        address = module_broker.http_address if over_websocket else module_broker.address
        connection = _CLASSES[way]([address], auto_decode=False, **over_websocket, **options)
        inbox = Inbox()
        connection.set_listener("inbox", inbox)
        opened.append((connection, inbox))
        connection.connect(user, passcode, wait=wait, headers=headers)
        return connection, inbox

    yield connect
    for connection, inbox in opened:
        if connection.is_connected():
            connection.disconnect(receipt="the end")
            inbox.expect_end()


def subscribe(connection: Any, destination: str, *, id: str = "1", ack: str = "auto", **headers: str) -> None:
    connection.subscribe(
        destination, id=id, ack=ack, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


def ack(connection: Any, frame: Any, *, nack: bool = False, **more: Any) -> None:
    """What a program with stomp.py acknowledges by depends on its version."""
    version = connection.version
    settle = connection.nack if nack else connection.ack
    if version == "1.2":
        settle(frame.headers["ack"], **more)
    elif version == "1.1":
        settle(frame.headers["message-id"], frame.headers["subscription"], **more)
    else:
        settle(frame.headers["message-id"], **more)


def test_it_connects_and_disconnects(open_connection: Open, version: str) -> None:
    connection, inbox = open_connection()
    assert connection.is_connected()
    assert inbox.connected.headers.get("version", "1.0") == version
    connection.disconnect(receipt="bye")
    inbox.expect_receipt("bye")
    inbox.expect_end()


def test_a_wrong_password_is_reported(open_connection: Open) -> None:
    with pytest.raises(stomp.exception.ConnectFailedException):
        open_connection(passcode="wrong")


def test_a_message_is_sent_confirmed_and_received(open_connection: Open, queue: str) -> None:
    connection, inbox = open_connection()
    subscribe(connection, queue)
    connection.send(queue, b"body", receipt="sent", headers={"key": "value"})
    inbox.expect_receipt("sent")
    inbox.expect_message(b"body", destination=queue, key="value")


@pytest.mark.parametrize("body", [b"", b"\0\0binary\xff\0", "größer".encode(), b"x" * 1_000_000])
def test_any_body_passes(open_connection: Open, queue: str, body: bytes) -> None:
    connection, inbox = open_connection()
    subscribe(connection, queue)
    connection.send(queue, body)
    assert (inbox.expect_message().body or b"") == body


def test_header_values_with_special_characters_pass(open_connection: Open, queue: str, version: str) -> None:
    connection, inbox = open_connection()
    subscribe(connection, queue)
    value = "a\\b" if version == "1.0" else "a:b\\c\nd"
    connection.send(queue, b"", headers={"special": value})
    inbox.expect_message(special=value)


def acknowledge_the_second_of_three(connection: Any, inbox: Inbox, queue: str) -> None:
    for number in range(3):
        connection.send(queue, b"%d" % number)
    frames = [inbox.expect_message(b"%d" % number) for number in range(3)]
    ack(connection, frames[1], receipt="acked")
    inbox.expect_receipt("acked")
    connection.disconnect(receipt="bye")
    inbox.expect_end()


def test_client_mode_acknowledges_all_before(open_connection: Open, queue: str) -> None:
    connection, inbox = open_connection()
    subscribe(connection, queue, ack="client")
    acknowledge_the_second_of_three(connection, inbox, queue)
    other, heard = open_connection()
    subscribe(other, queue)
    heard.expect_message(b"2", redelivered="true")


def test_client_individual_mode_acknowledges_one(open_connection: Open, queue: str) -> None:
    connection, inbox = open_connection()
    subscribe(connection, queue, ack="client-individual")
    acknowledge_the_second_of_three(connection, inbox, queue)
    other, heard = open_connection()
    subscribe(other, queue)
    heard.expect_message(b"0")
    heard.expect_message(b"2")


def test_nack_returns_a_message(open_connection: Open, queue: str, version: str) -> None:
    connection, inbox = open_connection()
    subscribe(connection, queue, ack="client-individual")
    connection.send(queue, b"1")
    frame = inbox.expect_message(b"1")
    if version == "1.0":
        # stomp.py has no NACK in 1.0; leaving does the same.
        connection.disconnect(receipt="bye")
        inbox.expect_end()
        connection, inbox = open_connection()
        subscribe(connection, queue, ack="client-individual")
    else:
        ack(connection, frame, nack=True)
    ack(connection, inbox.expect_message(b"1", redelivered="true"))


def test_a_transaction_commits_sends_and_acknowledgements(open_connection: Open, queue: str) -> None:
    connection, inbox = open_connection()
    subscribe(connection, f"{queue}-in", id="in", ack="client-individual")
    subscribe(connection, f"{queue}-out", id="out")
    connection.send(f"{queue}-in", b"order")
    frame = inbox.expect_message(b"order")
    transaction = connection.begin()
    ack(connection, frame, transaction=transaction)
    connection.send(f"{queue}-out", b"invoice", transaction=transaction)
    connection.commit(transaction)
    inbox.expect_message(b"invoice", destination=f"{queue}-out")


def test_an_aborted_transaction_leaves_nothing(open_connection: Open, queue: str) -> None:
    connection, inbox = open_connection()
    subscribe(connection, queue)
    transaction = connection.begin()
    connection.send(queue, b"never", transaction=transaction)
    connection.abort(transaction)
    connection.send(queue, b"next")
    inbox.expect_message(b"next")


def test_heart_beats_go_both_ways(open_connection: Open, queue: str, version: str) -> None:
    if version == "1.0":
        connection, inbox = open_connection()
        assert connection.is_connected()
        return
    # A program gives up after one and a half intervals; on a machine that does other things, a beat comes later.
    connection, inbox = open_connection(heartbeats=(1000, 1000), heart_beat_receive_scale=10)
    # Waiting is the point: without beats from this side, the broker would give up behind the second of its own.
    for _ in range(4):
        inbox.expect_heart_beat()
    assert connection.is_connected()
    assert inbox.heart_beat_timeouts == 0
    connection.send(queue, b"", receipt="alive")
    inbox.expect_receipt("alive")


def test_a_durable_topic_subscription_outlives_its_connection(open_connection: Open, queue: str) -> None:
    topic = queue.replace("/queue/", "/topic/")
    durable = {"durable": "true", "auto_delete": "false"}
    connection, inbox = open_connection()
    subscribe(connection, topic, id="reader", **durable)
    connection.send(topic, b"1", receipt="sent")
    inbox.expect_receipt("sent")
    inbox.expect_message(b"1")
    connection.disconnect(receipt="bye")
    inbox.expect_end()
    producer, heard = open_connection()
    producer.send(topic, b"2", receipt="sent")
    heard.expect_receipt("sent")
    again, inbox = open_connection()
    subscribe(again, topic, id="reader", **durable)
    inbox.expect_message(b"2")


def test_an_activemq_durable_subscription_outlives_its_connection(open_connection: Open, queue: str) -> None:
    topic = queue.replace("/queue/", "/topic/")
    connection, inbox = open_connection(headers={"client-id": queue})
    connection.subscribe(topic, id="1", ack="auto", headers={"activemq.subscriptionName": "reader"})
    connection.disconnect(receipt="bye")
    inbox.expect_end()
    producer, heard = open_connection()
    producer.send(topic, b"1", receipt="sent")
    heard.expect_receipt("sent")
    again, inbox = open_connection(headers={"client-id": queue})
    again.subscribe(topic, id="1", ack="auto", headers={"activemq.subscriptionName": "reader"})
    inbox.expect_message(b"1")


def test_a_request_gets_its_reply_through_a_temporary_queue(open_connection: Open, queue: str) -> None:
    server, server_inbox = open_connection()
    client, client_inbox = open_connection()
    subscribe(server, queue)
    client.send(queue, b"question", headers={"reply-to": "/temp-queue/answers", "correlation-id": "1"})
    request = server_inbox.expect_message(b"question")
    server.send(request.headers["reply-to"], b"answer", headers={"correlation-id": request.headers["correlation-id"]})
    client_inbox.expect_message(b"answer", correlation_id="1")


def test_an_error_is_reported_and_ends_the_connection(open_connection: Open, queue: str) -> None:
    connection, inbox = open_connection()
    connection.send_frame("SUBSCRIBE", {"destination": queue, "id": "1", "ack": "perhaps"})
    inbox.expect_error("header")
    inbox.expect_end()


def test_unsubscribe_ends_a_subscription(open_connection: Open, queue: str, version: str) -> None:
    connection, inbox = open_connection()
    subscribe(connection, queue)
    if version == "1.0":
        connection.unsubscribe(queue, id="1")
    else:
        connection.unsubscribe("1")
    connection.send(queue, b"1", receipt="sent")
    inbox.expect_receipt("sent")
    assert inbox.messages.empty()


def test_a_program_that_disconnects_without_a_receipt_loses_nothing(open_connection: Open, queue: str) -> None:
    """The habit of most programs with stomp.py: `disconnect()` returns at once."""
    connection, _ = open_connection()
    for number in range(50):
        connection.send(queue, b"%d" % number)
    connection.disconnect()
    other, inbox = open_connection()
    subscribe(other, queue)
    for number in range(50):
        inbox.expect_message(b"%d" % number)
