"""A RECEIPT means done (stomp.md §1, FAULTS 60, 70)."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_every_client_frame_may_ask_for_a_receipt(connect: Connect, queue: str, version: str) -> None:
    """Fault 70."""
    client = connect(version)

    def confirmed(command: str, **headers: str) -> None:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        client.send_frame(command, {**fields, "receipt": f"for {command}"})
        client.expect_receipt(f"for {command}")

    confirmed("SEND", destination=queue)
    confirmed("SEND", destination=queue)
    confirmed("SUBSCRIBE", destination=queue, id="s", ack="client")
    first, second = client.expect_message(), client.expect_message()
    confirmed("BEGIN", transaction="t")
    confirmed("COMMIT", transaction="t")
    confirmed("BEGIN", transaction="t")
    confirmed("ABORT", transaction="t")
    confirmed("ACK", **{name.replace("-", "_"): value for name, value in client.settle_headers(first).items()})
    confirmed("NACK", **{name.replace("-", "_"): value for name, value in client.settle_headers(second).items()})
    confirmed("UNSUBSCRIBE", id="s")
    client.send_frame("DISCONNECT", {"receipt": "for DISCONNECT"})
    assert client.read_to_end()[-1]["receipt-id"] == "for DISCONNECT"


def test_receipts_come_in_the_order_of_their_frames(connect: Connect, queue: str) -> None:
    """Fault 70: whatever has to wait for the disk, and whatever has not."""
    client = connect()
    for number in range(60):
        if number % 3 == 0:
            client.publish(queue, receipt=str(number))
        elif number % 3 == 1:
            client.send_frame("BEGIN", {"transaction": f"t{number}", "receipt": str(number)})
        else:
            client.publish("/topic/nobody", receipt=str(number), headers={"persistent": "false"})
    for number in range(60):
        client.expect_receipt(str(number))


def test_a_message_survives_kill_9_once_its_receipt_has_come(broker_factory: BrokerFactory, queue: str) -> None:
    """Fault 70: the receipt is given only after durability."""
    broker = broker_factory()
    for number in range(5):
        broker.client().publish_confirmed(queue, b"%d" % number)
        broker.kill()
        broker.start()
    client = broker.client()
    client.subscribe(queue, ack="auto")
    client.expect_messages(*(b"%d" % number for number in range(5)))


def test_an_acknowledgement_survives_kill_9_once_its_receipt_has_come(
    broker_factory: BrokerFactory, queue: str
) -> None:
    """Fault 36, 70."""
    broker = broker_factory()
    client = broker.client()
    for body in (b"1", b"2", b"3"):
        client.publish_confirmed(queue, body)
    client.subscribe(queue)
    messages = client.expect_messages(b"1", b"2", b"3")
    client.ack(messages[1], wait=True)
    broker.kill()
    broker.start()
    other = broker.client()
    other.subscribe(queue)
    other.expect_messages(b"1", b"3")
    other.expect_no_message()


def test_disconnects_receipt_covers_everything_before_it(broker_factory: BrokerFactory, queue: str) -> None:
    """Fault 70: the way of clients that ask for no receipt but the last."""
    broker = broker_factory()
    client = broker.client()
    for number in range(20):
        client.publish(queue, b"%d" % number)
    client.disconnect()
    broker.kill()
    broker.start()
    other = broker.client()
    other.subscribe(queue, ack="auto")
    other.expect_messages(*(b"%d" % number for number in range(20)))


def test_a_send_within_a_transaction_is_confirmed_in_order(connect: Connect, queue: str) -> None:
    """Whether its receipt comes at once or with COMMIT, none is missing and none comes twice."""
    client = connect()
    client.begin("t")
    client.publish(queue, receipt="send", transaction="t")
    client.send_frame("COMMIT", {"transaction": "t", "receipt": "commit"})
    client.expect_receipt("send")
    client.expect_receipt("commit")


def test_a_failed_frame_gets_no_receipt_and_its_error_names_it(connect: Connect) -> None:
    client = connect()
    client.send_frame("SEND", {"receipt": "never"}, b"no destination")
    assert client.expect_error("Missing destination")["receipt-id"] == "never"


def test_what_was_confirmed_before_an_error_gets_its_receipt_first(connect: Connect, queue: str) -> None:
    client = connect()
    client.publish(queue, b"fine", receipt="fine")
    client.send_frame("SEND", {"receipt": "never"})
    client.expect_receipt("fine")
    assert client.expect_error()["receipt-id"] == "never"


def test_a_client_that_has_closed_its_sending_side_still_gets_its_receipt(connect: Connect, queue: str) -> None:
    """Fault 60."""
    client = connect()
    client.publish(queue, b"last words", receipt="last")
    client.half_close()
    client.expect_receipt("last")
    client.expect_end()
    other = connect()
    other.subscribe(queue)
    other.expect_message(b"last words")


def test_the_octets_of_a_receipt_are_exact(raw: StompClient) -> None:
    raw.connect("1.2")
    raw.send_bytes(b"SEND\ndestination:/topic/nobody\nreceipt:r-1\n\n\0")
    assert raw.socket.recv(100) == b"RECEIPT\nreceipt-id:r-1\n\n\0"
