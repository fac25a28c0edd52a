"""SUBSCRIBE and UNSUBSCRIBE (stomp.md §4, FAULTS 68)."""

from __future__ import annotations

import pytest

from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_an_id_is_required_from_1_1_on(connect: Connect, queue: str, version: str) -> None:
    client = connect(version)
    client.send_frame("SUBSCRIBE", {"destination": queue})
    client.expect_error("Missing header")


def test_a_1_0_message_names_its_subscription_only_if_it_has_a_name(connect: Connect, queue: str) -> None:
    client = connect("1.0")
    client.subscribe(queue, id=None, ack="auto")
    client.publish(queue, b"1")
    assert "subscription" not in client.expect_message(b"1")
    named = connect("1.0")
    named.subscribe(f"{queue}-named", id="n", ack="auto")
    named.publish(f"{queue}-named", b"2")
    named.expect_message(b"2", subscription="n")


def test_a_1_0_client_unsubscribes_by_destination(connect: Connect, queue: str) -> None:
    client = connect("1.0")
    client.subscribe(queue, id=None, ack="auto")
    client.send_frame("UNSUBSCRIBE", {"destination": queue, "receipt": "gone"})
    client.expect_receipt("gone")
    client.publish(queue, b"1")
    client.expect_no_message()


def test_the_same_id_twice_is_an_error_and_takes_nothing_with_it(connect: Connect, queue: str) -> None:
    """Fault 68: the state of the queue is kept."""
    client = connect()
    client.publish_confirmed(queue, b"1")
    client.subscribe(queue, id="T_1")
    client.expect_message(b"1")
    client.send_frame("SUBSCRIBE", {"destination": f"{queue}-other", "id": "T_1"})
    error = client.expect_error("Duplicated subscription identifier")
    assert b"T_1" in error.body
    other = connect()
    other.subscribe(queue)
    other.expect_message(b"1", redelivered="true")


def test_two_connections_may_use_the_same_id(connect: Connect, queue: str) -> None:
    for client in (connect(), connect()):
        client.subscribe(queue, id="same")


def test_an_id_may_be_used_again_after_unsubscribe(connect: Connect, queue: str) -> None:
    client = connect()
    for number in range(3):
        client.subscribe(f"{queue}-{number}", id="again", ack="auto")
        client.publish(f"{queue}-{number}", b"%d" % number)
        client.expect_message(b"%d" % number, subscription="again")
        client.unsubscribe("again")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_unsubscribe_of_an_unknown_id_is_an_error(connect: Connect, version: str) -> None:
    """Fault 68."""
    client = connect(version)
    client.send_frame("UNSUBSCRIBE", {"id": "never"})
    client.expect_error()


def test_an_unknown_ack_mode_is_an_error(connect: Connect, queue: str) -> None:
    client = connect()
    client.send_frame("SUBSCRIBE", {"destination": queue, "id": "1", "ack": "Client"})
    client.expect_error()


def test_auto_is_the_ack_mode_when_none_is_given(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, ack=None)
    client.publish(queue, b"1")
    client.expect_message(b"1")
    client.disconnect()
    other = connect()
    other.subscribe(queue)
    other.expect_no_message()


def test_a_message_says_all_that_it_has_to(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, id="sub-7")
    client.publish(queue, b"body")
    frame = client.expect_message(b"body", destination=queue, subscription="sub-7", redelivered="false")
    assert frame["message-id"]
    assert frame["ack"]
    assert int(frame["x-delivery-count"]) >= 0


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_older_message_has_what_its_version_acknowledges_by(connect: Connect, queue: str, version: str) -> None:
    client = connect(version)
    client.subscribe(queue)
    client.publish(queue)
    frame = client.expect_message(subscription="0")
    assert frame["message-id"]


def test_message_ids_are_unique(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, ack="auto")
    for _ in range(200):
        client.publish(queue)
    assert len({client.expect_message()["message-id"] for _ in range(200)}) == 200


def test_messages_of_two_subscriptions_are_told_apart(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(f"{queue}-a", id="a", ack="auto")
    client.subscribe(f"{queue}-b", id="b", ack="auto")
    client.publish(f"{queue}-b", b"1")
    client.expect_message(b"1", subscription="b", destination=f"{queue}-b")
    client.publish(f"{queue}-a", b"2")
    client.expect_message(b"2", subscription="a", destination=f"{queue}-a")


def test_unsubscribe_returns_what_is_out_to_its_place(connect: Connect, queue: str) -> None:
    client = connect()
    for body in (b"1", b"2", b"3", b"4"):
        client.publish_confirmed(queue, body)
    client.subscribe(queue, headers={"prefetch-count": "3"})
    messages = client.expect_messages(b"1", b"2", b"3")
    client.ack(messages[1], wait=True)
    client.unsubscribe()
    other = connect()
    other.subscribe(queue)
    again = [other.expect_message() for _ in range(3)]
    assert [frame.body for frame in again if frame["redelivered"] == "true"][:2] == [b"1", b"3"]
    assert again[0].body == b"1"


def test_what_is_out_cannot_be_acknowledged_after_unsubscribe(connect: Connect, queue: str) -> None:
    """Fault 39: the lease is over."""
    client = connect()
    client.publish_confirmed(queue, b"1")
    client.subscribe(queue)
    message = client.expect_message(b"1")
    client.unsubscribe()
    client.ack(message)
    client.expect_error()
    other = connect()
    other.subscribe(queue)
    other.expect_message(b"1", redelivered="true")


def test_two_consumers_share_a_queue_and_no_message_goes_to_both(connect: Connect, queue: str) -> None:
    consumers = [connect(), connect()]
    for consumer in consumers:
        consumer.subscribe(queue, ack="auto", headers={"prefetch-count": "1"})
    producer = connect()
    for number in range(40):
        producer.publish_confirmed(queue, b"%d" % number)
    seen: list[bytes] = []
    for consumer in consumers:
        fence = consumer.new_receipt()
        consumer.send_frame("DISCONNECT", {"receipt": fence})
        while (frame := consumer.receive()).command == "MESSAGE":
            seen.append(frame.body)
    assert sorted(seen, key=int) == [b"%d" % number for number in range(40)]


def test_a_client_may_take_what_it_sends(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, ack="auto")
    for number in range(10):
        client.publish(queue, b"%d" % number)
    client.expect_messages(*(b"%d" % number for number in range(10)))


def test_more_subscriptions_than_the_limit_are_refused(connect: Connect, queue: str) -> None:
    client = connect()
    for number in range(1000):
        client.subscribe(queue, id=str(number), wait=False)
    client.send_frame("SUBSCRIBE", {"destination": queue, "id": "one too many", "receipt": "r"})
    client.expect_error()
