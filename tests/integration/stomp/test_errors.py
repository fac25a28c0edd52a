"""ERROR says why, and is the end (stomp.md §1: what RabbitMQ and ActiveMQ get wrong)."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_FAULTY: dict[str, tuple[str, dict[str, str]]] = {
    "unknown command": ("FETCH", {}),
    "SEND without destination": ("SEND", {}),
    "SUBSCRIBE without destination": ("SUBSCRIBE", {"id": "1"}),
    "SUBSCRIBE without id": ("SUBSCRIBE", {"destination": "/queue/errors"}),
    "SUBSCRIBE with an unknown ack mode": ("SUBSCRIBE", {"destination": "/queue/e", "id": "1", "ack": "perhaps"}),
    "UNSUBSCRIBE without id": ("UNSUBSCRIBE", {}),
    "UNSUBSCRIBE of an unknown id": ("UNSUBSCRIBE", {"id": "unknown"}),
    "ACK without id": ("ACK", {}),
    "NACK without id": ("NACK", {}),
    "ACK of an unknown id": ("ACK", {"id": "unknown"}),
    "NACK of an unknown id": ("NACK", {"id": "unknown"}),
    "BEGIN without transaction": ("BEGIN", {}),
    "COMMIT without transaction": ("COMMIT", {}),
    "ABORT without transaction": ("ABORT", {}),
    "COMMIT of an unknown transaction": ("COMMIT", {"transaction": "unknown"}),
    "ABORT of an unknown transaction": ("ABORT", {"transaction": "unknown"}),
    "SEND in an unknown transaction": ("SEND", {"destination": "/queue/e", "transaction": "unknown"}),
}


@pytest.mark.parametrize("fault", _FAULTY)
def test_a_faulty_frame_is_answered_with_error_and_the_end(connect: Connect, fault: str) -> None:
    """Fault 68 among others: the ERROR has a message, a body and the receipt's id."""
    command, headers = _FAULTY[fault]
    client = connect()
    client.send_frame(command, {**headers, "receipt": "r-9"})
    error = client.expect_error()
    assert error["receipt-id"] == "r-9"
    assert error["message"]
    assert error.body


@pytest.mark.parametrize("fault", _FAULTY)
def test_frames_behind_the_faulty_one_are_not_processed(connect: Connect, queue: str, fault: str) -> None:
    command, headers = _FAULTY[fault]
    consumer = connect()
    consumer.subscribe(queue)
    client = connect()
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    client.send_bytes(f"{command}\n{lines}\n\0SEND\ndestination:{queue}\n\nbehind\0".encode())
    client.expect_error()
    consumer.expect_no_message()


def test_the_error_arrives_even_when_the_client_is_still_sending(connect: Connect, queue: str) -> None:
    """rabbitmq-server #6737: a server that closes with octets unread resets the connection, and the ERROR is lost."""
    client = connect()
    client.send_bytes(b"FETCH\n\n\0" + f"SEND\ndestination:{queue}\n\n{'x' * 200_000}\0".encode() * 3)
    client.expect_error("Bad command")


def test_an_error_of_one_connection_leaves_the_others_alone(connect: Connect, queue: str) -> None:
    other = connect()
    other.subscribe(queue)
    client = connect()
    client.send_frame("FETCH")
    client.expect_error()
    other.publish(queue, b"still here")
    other.expect_message(b"still here")


def test_an_error_has_a_content_length_or_a_body_without_nul(connect: Connect) -> None:
    client = connect()
    client.send_frame("FETCH")
    error = client.expect_error()
    assert b"\0" not in error.body
    assert error.get("content-length") in (None, str(len(error.body)))


def test_an_error_repeats_no_control_characters_and_no_megabytes(raw: StompClient, broker: BrokerProcess) -> None:
    """Fault 101: what a peer says is neither sent nor logged as it is."""
    raw.connect()
    raw.send_frame("SEND", {"destination": "/queue/\x1b[31mred\x07\u202e", "transaction": "x" * 5000})
    error = raw.expect_error()
    assert "\x1b" not in broker.log
    assert "\u202e" not in broker.log
    assert len(error.body) + len(error["message"]) < 2000


def test_messages_that_are_out_return_when_their_connection_ends_with_an_error(connect: Connect, queue: str) -> None:
    client = connect()
    client.publish_confirmed(queue, b"1")
    client.subscribe(queue)
    client.expect_message(b"1")
    client.send_frame("FETCH")
    client.expect_error()
    other = connect()
    other.subscribe(queue)
    assert other.expect_message(b"1")["redelivered"] == "true"


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_an_error_is_encoded_for_the_version_of_its_connection(connect: Connect, version: str) -> None:
    """The strict reader would find an escape that this version does not have."""
    client = connect(version)
    client.send_frame("SUBSCRIBE", {"destination": "/queue/e", "id": "a:b", "ack": "per:haps\\", "receipt": "r:1"})
    assert client.expect_error()["receipt-id"] == "r:1"


def test_an_error_is_one_line_in_the_log(connect: Connect, broker: BrokerProcess) -> None:
    before = broker.log
    client = connect()
    port = client.socket.getsockname()[1]
    client.send_frame("FETCH-THIS-LINE")
    client.expect_error()
    connect().disconnect()
    broker.wait_for_log(rf"peer=\S+:{port}\b")  # it comes by another way than the answer
    added = broker.log[len(before) :]
    assert len([line for line in added.splitlines() if "bad-command" in line or "FETCH-THIS-LINE" in line]) == 1, added
