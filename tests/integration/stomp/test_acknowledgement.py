"""ACK and NACK: per version, cumulative or not, and what a wrong one must not do (stomp.md §4, FAULTS 35-39)."""

from __future__ import annotations

import pytest

from tests.helpers.stomp_client import StompClient
from tests.helpers.stomp_frames import Frame
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


def filled(connect: Connect, queue: str, count: int) -> None:
    producer = connect()
    for number in range(1, count + 1):
        producer.publish(queue, b"%d" % number)
    producer.disconnect()


def bodies_left(connect: Connect, queue: str) -> list[bytes]:
    """What a new consumer still finds in the queue."""
    client = connect()
    client.subscribe(queue)
    client.send_frame("DISCONNECT", {"receipt": "end"})
    bodies = []
    while (frame := client.receive()).command == "MESSAGE":
        bodies.append(frame.body)
    return bodies


def consume(
    connect: Connect,
    queue: str,
    count: int,
    *,
    version: str = "1.2",
    ack: str = "client-individual",
    prefetch: int = 100,
) -> tuple[StompClient, list[Frame]]:
    client = connect(version)
    client.subscribe(queue, ack=ack, headers={"prefetch-count": str(prefetch)})
    return client, [client.expect_message() for _ in range(count)]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_an_acknowledged_message_is_gone(connect: Connect, queue: str, version: str) -> None:
    filled(connect, queue, 2)
    client, messages = consume(connect, queue, 2, version=version)
    client.ack(messages[0], wait=True)
    client.close()
    assert bodies_left(connect, queue) == [b"2"]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_in_client_mode_an_ack_covers_all_before_it(connect: Connect, queue: str, version: str) -> None:
    filled(connect, queue, 4)
    client, messages = consume(connect, queue, 4, version=version, ack="client")
    client.ack(messages[2], wait=True)
    client.disconnect()
    assert bodies_left(connect, queue) == [b"4"]


def test_in_client_individual_mode_an_ack_covers_one_message(connect: Connect, queue: str) -> None:
    filled(connect, queue, 4)
    client, messages = consume(connect, queue, 4)
    client.ack(messages[2], wait=True)
    client.disconnect()
    assert bodies_left(connect, queue) == [b"1", b"2", b"4"]


def test_a_cumulative_ack_covers_its_own_subscription_only(connect: Connect, queue: str) -> None:
    """RabbitMQ acknowledges across all subscriptions of the connection: a silent loss."""
    client = connect()
    client.subscribe(f"{queue}-a", id="a", ack="client")
    client.subscribe(f"{queue}-b", id="b", ack="client")
    client.publish(f"{queue}-a", b"a")
    client.expect_message(b"a")
    client.publish(f"{queue}-b", b"b")
    client.ack(client.expect_message(b"b"), wait=True)
    client.disconnect()
    assert bodies_left(connect, f"{queue}-a") == [b"a"]
    assert bodies_left(connect, f"{queue}-b") == []


def test_a_1_0_ack_needs_no_subscription(connect: Connect, queue: str) -> None:
    filled(connect, queue, 1)
    client = connect("1.0")
    client.subscribe(queue, id=None, ack="client")
    message = client.expect_message(b"1")
    client.send_frame("ACK", {"message-id": message["message-id"], "receipt": "r"})
    client.expect_receipt("r")
    client.disconnect()
    assert bodies_left(connect, queue) == []


def test_a_1_1_ack_without_subscription_is_an_error(connect: Connect, queue: str) -> None:
    filled(connect, queue, 1)
    client, (message,) = consume(connect, queue, 1, version="1.1")
    client.send_frame("ACK", {"message-id": message["message-id"]})
    client.expect_error()
    assert bodies_left(connect, queue) == [b"1"]


def test_a_1_1_ack_with_the_wrong_subscription_is_an_error(connect: Connect, queue: str) -> None:
    filled(connect, queue, 1)
    client, (message,) = consume(connect, queue, 1, version="1.1")
    client.subscribe(f"{queue}-other", id="other")
    client.send_frame("ACK", {"message-id": message["message-id"], "subscription": "other"})
    client.expect_error()
    assert bodies_left(connect, queue) == [b"1"]


@pytest.mark.parametrize("command", ["ACK", "NACK"])
def test_an_unknown_id_is_an_error_and_changes_nothing(connect: Connect, queue: str, command: str) -> None:
    """Fault 38."""
    filled(connect, queue, 1)
    client, _ = consume(connect, queue, 1)
    client.send_frame(command, {"id": "17-unknown"})
    client.expect_error()
    assert bodies_left(connect, queue) == [b"1"]


@pytest.mark.parametrize("ack", ["client", "client-individual"])
def test_a_second_ack_of_the_same_message_is_an_error(connect: Connect, queue: str, ack: str) -> None:
    """Fault 38."""
    filled(connect, queue, 2)
    client, messages = consume(connect, queue, 2, ack=ack)
    client.ack(messages[0], wait=True)
    client.ack(messages[0])
    client.expect_error()
    assert bodies_left(connect, queue) == [b"2"]


def test_an_ack_after_a_nack_of_the_same_message_is_an_error(connect: Connect, queue: str) -> None:
    """Fault 38."""
    filled(connect, queue, 1)
    client, messages = consume(connect, queue, 1, prefetch=1)
    client.nack(messages[0], wait=True)
    client.ack(messages[0])
    client.expect_error()
    assert bodies_left(connect, queue) == [b"1"]


@pytest.mark.parametrize("command", ["ACK", "NACK"])
def test_what_another_connection_holds_cannot_be_settled(connect: Connect, queue: str, command: str) -> None:
    """Fault 38."""
    filled(connect, queue, 1)
    holder, (message,) = consume(connect, queue, 1)
    thief = connect()
    thief.subscribe(f"{queue}-other")
    thief.send_frame(command, {"id": message["ack"]})
    thief.expect_error()
    holder.ack(message, wait=True)
    holder.disconnect()
    assert bodies_left(connect, queue) == []


def test_an_id_from_before_a_reconnect_is_refused(connect: Connect, queue: str) -> None:
    """Fault 39: the message is out with someone else by now."""
    filled(connect, queue, 1)
    first, (old,) = consume(connect, queue, 1)
    first.disconnect()
    second, (new,) = consume(connect, queue, 1)
    late = connect()
    late.subscribe(f"{queue}-other")
    late.ack(old)
    late.expect_error()
    second.ack(new, wait=True)
    second.disconnect()
    assert bodies_left(connect, queue) == []


def test_an_ack_on_an_auto_subscription_does_no_harm(connect: Connect, queue: str) -> None:
    client = connect("1.1")
    client.subscribe(queue, ack="auto")
    client.publish(queue, b"1")
    client.ack(client.expect_message(b"1"), wait=True)
    client.publish(queue, b"2")
    client.expect_message(b"2")


def test_a_consumer_that_dies_gives_its_messages_back_in_their_place(connect: Connect, queue: str) -> None:
    """Fault 35."""
    filled(connect, queue, 5)
    client, messages = consume(connect, queue, 3, prefetch=3)
    client.ack(messages[1], wait=True)
    client.reset()
    _, again = consume(connect, queue, 4)
    assert [frame.body for frame in again] == [b"1", b"3", b"4", b"5"]
    assert [frame["redelivered"] for frame in again[:2]] == ["true", "true"]
    assert again[3]["redelivered"] == "false"


def test_an_unconfirmed_ack_comes_again_flagged_or_not_at_all(connect: Connect, queue: str) -> None:
    """Fault 37: the connection is reset right behind the ACK."""
    filled(connect, queue, 1)
    client, (message,) = consume(connect, queue, 1)
    client.ack(message)
    client.reset()
    other = connect()
    other.subscribe(queue)
    other.publish_confirmed(queue, b"2")
    frame = other.expect_message()
    assert frame.body == b"2" or frame["redelivered"] == "true"


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_nack_returns_the_message_to_its_place(connect: Connect, queue: str, version: str) -> None:
    filled(connect, queue, 3)
    client, (message,) = consume(connect, queue, 1, version=version, prefetch=1)
    client.nack(message)
    again = client.expect_message(b"1", redelivered="true")
    client.ack(again)
    client.ack(client.expect_message(b"2", redelivered="false"))
    client.ack(client.expect_message(b"3", redelivered="false"), wait=True)


def test_nack_in_client_mode_is_cumulative(connect: Connect, queue: str) -> None:
    filled(connect, queue, 4)
    client, messages = consume(connect, queue, 3, ack="client", prefetch=3)
    client.nack(messages[1], wait=True)
    again = [client.expect_message(), client.expect_message()]
    assert [(frame.body, frame["redelivered"]) for frame in again] == [(b"1", "true"), (b"2", "true")]


def test_every_delivery_is_counted(connect: Connect, queue: str) -> None:
    filled(connect, queue, 1)
    client, (message,) = consume(connect, queue, 1)
    counts = [int(message["x-delivery-count"])]
    for _ in range(4):
        client.nack(message)
        message = client.expect_message(b"1", redelivered="true")
        counts.append(int(message["x-delivery-count"]))
    assert counts == list(range(counts[0], counts[0] + 5))


def test_nack_without_requeue_discards_the_message(connect: Connect, queue: str) -> None:
    filled(connect, queue, 2)
    client, messages = consume(connect, queue, 2)
    client.nack(messages[0], wait=True, headers={"requeue": "false"})
    client.disconnect()
    assert bodies_left(connect, queue) == [b"2"]


def test_a_returned_message_may_go_to_another_consumer(connect: Connect, queue: str) -> None:
    filled(connect, queue, 1)
    first, (message,) = consume(connect, queue, 1, prefetch=1)
    second = connect()
    second.subscribe(queue)
    first.close()
    second.expect_message(b"1", redelivered="true")
    assert message.body == b"1"


def test_acknowledgements_may_be_pipelined(connect: Connect, queue: str) -> None:
    filled(connect, queue, 500)
    client = connect()
    client.subscribe(queue, headers={"prefetch-count": "50"})
    for number in range(500):
        client.ack(client.expect_message(b"%d" % (number + 1)))
    client.disconnect()
    assert bodies_left(connect, queue) == []
