"""BEGIN, COMMIT, ABORT: SEND, ACK and NACK together or not at all (stomp.md §4, FAULTS 43, 44)."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import StompClient
from tests.helpers.stomp_frames import Frame
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_TRANSACTION_MESSAGES_MAX = 10_000


def take_in_transaction(client: StompClient, queue: str, ack: str = "client-individual") -> Frame:
    """Publish a message, take it, and acknowledge it in the transaction `t`, which stays open."""
    client.publish_confirmed(queue, b"1")
    client.subscribe(queue, ack=ack)
    message = client.expect_message(b"1")
    client.begin("t")
    client.ack(message, transaction="t")
    return message


def expect_nothing_left(connect: Connect, queue: str) -> None:
    consumer = connect()
    consumer.subscribe(queue)
    consumer.expect_no_message()


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_what_is_sent_is_visible_after_commit_and_not_before(connect: Connect, queue: str, version: str) -> None:
    consumer = connect()
    consumer.subscribe(queue, ack="auto")
    client = connect(version)
    client.begin("t")
    client.publish(queue, b"1", transaction="t")
    client.publish(queue, b"2", transaction="t")
    client.publish(queue, b"outside", receipt="r")
    client.expect_receipt("r")
    consumer.expect_message(b"outside")
    consumer.expect_no_message()
    client.commit("t")
    consumer.expect_messages(b"1", b"2")


def test_what_was_aborted_is_never_seen(connect: Connect, queue: str) -> None:
    """Fault 43."""
    consumer = connect()
    consumer.subscribe(queue)
    client = connect()
    client.begin("t")
    client.publish(queue, b"1", transaction="t")
    client.abort("t")
    consumer.expect_no_message()


@pytest.mark.parametrize("way", ["disconnect", "close", "reset", "error"])
def test_the_end_of_the_connection_aborts(connect: Connect, queue: str, way: str) -> None:
    """Fault 43."""
    client = connect()
    client.begin("t", wait=True)
    client.publish(queue, b"1", transaction="t")
    if way == "error":
        client.send_frame("FETCH")
        client.expect_error()
    else:
        getattr(client, way)()
    expect_nothing_left(connect, queue)


@pytest.mark.parametrize("command", ["COMMIT", "ABORT"])
def test_a_transaction_of_an_earlier_connection_is_unknown(connect: Connect, queue: str, command: str) -> None:
    """Fault 43: COMMIT of an old transaction after a reconnect."""
    first = connect()
    first.begin("t", wait=True)
    first.publish(queue, b"1", transaction="t")
    first.disconnect()
    second = connect()
    second.send_frame(command, {"transaction": "t"})
    second.expect_error()
    expect_nothing_left(connect, queue)


def test_the_names_of_transactions_belong_to_their_connection(connect: Connect, queue: str) -> None:
    consumer = connect()
    consumer.subscribe(queue, ack="auto")
    one, other = connect(), connect()
    for client, body in ((one, b"one"), (other, b"other")):
        client.begin("same", wait=True)
        client.publish(queue, body, transaction="same")
    other.commit("same")
    consumer.expect_message(b"other")
    one.abort("same")
    consumer.expect_no_message()


def test_several_transactions_may_be_open_at_once(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, ack="auto")
    for name in ("a", "b", "c"):
        client.begin(name)
    for name in ("a", "b", "c", "a"):
        client.publish(queue, name.encode(), transaction=name)
    client.commit("b")
    client.abort("c")
    client.commit("a")
    client.expect_messages(b"b", b"a", b"a")
    client.expect_no_message()


def test_begin_of_an_open_name_is_an_error(connect: Connect) -> None:
    client = connect()
    client.begin("t", wait=True)
    client.begin("t")
    client.expect_error()


def test_a_name_may_be_used_again_after_its_end(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, ack="auto")
    for number in range(3):
        client.begin("again")
        client.publish(queue, b"%d" % number, transaction="again")
        client.commit("again")
        client.expect_message(b"%d" % number)


@pytest.mark.parametrize("command", ["SEND", "ACK", "NACK", "COMMIT", "ABORT"])
def test_any_use_of_an_unknown_transaction_is_an_error(connect: Connect, queue: str, command: str) -> None:
    client = connect()
    client.publish_confirmed(queue, b"1")
    client.subscribe(queue)
    message = client.expect_message(b"1")
    client.send_frame(command, {"transaction": "unknown", "destination": queue, "id": message["ack"]})
    client.expect_error()
    consumer = connect()
    consumer.subscribe(queue)
    consumer.expect_message(b"1", redelivered="true")
    consumer.expect_no_message()


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_an_ack_takes_effect_at_commit(connect: Connect, queue: str, version: str) -> None:
    client = connect(version)
    take_in_transaction(client, queue, ack="client")
    client.commit("t")
    client.disconnect()
    expect_nothing_left(connect, queue)


def test_an_aborted_ack_makes_the_message_pending_again_under_the_same_id(connect: Connect, queue: str) -> None:
    client = connect()
    message = take_in_transaction(client, queue)
    client.abort("t")
    client.expect_no_message()
    client.ack(message, wait=True)
    client.disconnect()
    expect_nothing_left(connect, queue)


def test_an_ack_in_a_transaction_that_ends_with_its_connection_is_void(connect: Connect, queue: str) -> None:
    client = connect()
    take_in_transaction(client, queue)
    client.disconnect()
    consumer = connect()
    consumer.subscribe(queue)
    consumer.expect_message(b"1", redelivered="true")


def test_a_nack_takes_effect_at_commit(connect: Connect, queue: str) -> None:
    client = connect()
    client.publish_confirmed(queue, b"1")
    client.subscribe(queue)
    message = client.expect_message(b"1")
    client.begin("t")
    client.nack(message, transaction="t")
    client.expect_no_message()
    client.commit("t")
    client.expect_message(b"1", redelivered="true")


def test_a_message_acknowledged_in_a_transaction_cannot_be_acknowledged_in_another(
    connect: Connect, queue: str
) -> None:
    """Fault 38."""
    client = connect()
    client.publish_confirmed(queue, b"1")
    client.subscribe(queue)
    message = client.expect_message(b"1")
    for name in ("a", "b"):
        client.begin(name)
        client.ack(message, transaction=name)
    client.send_frame("COMMIT", {"transaction": "a"})
    client.send_frame("COMMIT", {"transaction": "b"})
    client.expect_error()


def test_acknowledging_and_sending_on_happen_together(connect: Connect, queue: str) -> None:
    client = connect()
    client.publish_confirmed(f"{queue}-in", b"order")
    client.subscribe(f"{queue}-in", id="in")
    message = client.expect_message(b"order")
    client.begin("t")
    client.ack(message, transaction="t")
    client.publish(f"{queue}-out", b"invoice", transaction="t")
    client.commit("t")
    client.disconnect()
    other = connect()
    other.subscribe(f"{queue}-in", id="in")
    other.subscribe(f"{queue}-out", id="out")
    other.expect_message(b"invoice", subscription="out")
    other.expect_no_message()


def test_a_transaction_over_many_queues_and_a_topic_is_one(broker_factory: BrokerFactory, queue: str) -> None:
    """All of it is there after kill -9, once COMMIT was confirmed."""
    broker = broker_factory()
    client = broker.client()
    client.begin("t")
    for number in range(50):
        client.publish(f"{queue}-{number}", b"%d" % number, transaction="t")
    client.commit("t")
    broker.kill()
    broker.start()
    other = broker.client()
    for number in range(50):
        other.subscribe(f"{queue}-{number}", id=str(number), ack="auto")
        other.expect_message(b"%d" % number)


def test_a_transaction_with_too_many_messages_is_refused_before_anything_is_stored(
    connect: Connect, queue: str
) -> None:
    """Fault 44."""
    client = connect()
    client.begin("t")
    client.send_bytes(f"SEND\ndestination:{queue}\ntransaction:t\n\n\0".encode() * (_TRANSACTION_MESSAGES_MAX + 1))
    client.send_frame("COMMIT", {"transaction": "t", "receipt": "never"})
    client.expect_error()
    expect_nothing_left(connect, queue)


def test_a_transaction_with_too_many_octets_is_refused_before_anything_is_stored(connect: Connect, queue: str) -> None:
    """Fault 44: 32 MiB are the default."""
    client = connect()
    client.begin("t")
    body = bytes(8 * 1024 * 1024)
    for _ in range(3):
        client.publish(queue, body, transaction="t")
    client.publish(queue, bytes(8 * 1024 * 1024 + 1), transaction="t")
    client.expect_error()
    expect_nothing_left(connect, queue)


def test_more_open_transactions_than_the_limit_are_refused(connect: Connect) -> None:
    """Fault 44."""
    client = connect()
    for number in range(100):
        client.begin(str(number))
    client.begin("one too many")
    client.expect_error()


def test_an_empty_transaction_is_confirmed(connect: Connect) -> None:
    client = connect()
    client.begin("t")
    client.commit("t")
