"""How many messages are out with a consumer (stomp.md §5, FAULTS 45)."""

from __future__ import annotations

import pytest

from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


def fill(connect: Connect, queue: str, count: int, size: int = 1) -> None:
    producer = connect()
    for _ in range(count):
        producer.publish(queue, bytes(size))
    producer.disconnect()


@pytest.mark.parametrize("header", ["prefetch-count", "activemq.prefetchSize"])
@pytest.mark.parametrize("count", [1, 3, 50])
def test_no_more_messages_are_out_than_asked_for(connect: Connect, queue: str, header: str, count: int) -> None:
    fill(connect, queue, count + 5)
    client = connect()
    client.subscribe(queue, headers={header: str(count)})
    messages = [client.expect_message() for _ in range(count)]
    client.expect_no_message()
    client.ack(messages[0])
    client.expect_message()
    client.expect_no_message()


@pytest.mark.parametrize("ack", ["client", "client-individual"])
def test_a_hundred_messages_are_out_by_default_in_client_modes(connect: Connect, queue: str, ack: str) -> None:
    """Unlimited is RabbitMQ's default, and the first complaint of its users."""
    fill(connect, queue, 150)
    client = connect()
    client.subscribe(queue, ack=ack)
    for _ in range(100):
        client.expect_message()
    client.expect_no_message()


def test_the_credit_of_two_subscriptions_is_counted_apart(connect: Connect, queue: str) -> None:
    fill(connect, f"{queue}-a", 5)
    fill(connect, f"{queue}-b", 5)
    client = connect()
    for name in ("a", "b"):
        client.subscribe(f"{queue}-{name}", id=name, headers={"prefetch-count": "2"})
    assert sorted(client.expect_message()["subscription"] for _ in range(4)) == ["a", "a", "b", "b"]
    client.expect_no_message()


@pytest.mark.parametrize("value", ["-1", "many", "", "1.5", "0x10", "1 ", "+1", "1e3", "9" * 400])
def test_a_prefetch_that_is_no_sensible_number_is_refused(connect: Connect, queue: str, value: str) -> None:
    """Fault 45."""
    client = connect()
    client.send_frame("SUBSCRIBE", {"destination": queue, "id": "1", "ack": "client", "prefetch-count": value})
    client.expect_error()


@pytest.mark.parametrize("value", ["0", "65536", "2147483647", "2147483648", "4294967296"])
def test_who_asks_for_more_than_anybody_may_have_gets_that(connect: Connect, queue: str, value: str) -> None:
    """Fault 45: 65,535 is the limit; clients ask for more and mean "many", and RabbitMQ's say 0 for "no limit"."""
    fill(connect, queue, 150)
    client = connect()
    client.subscribe(queue, headers={"prefetch-count": value})
    for _ in range(150):
        client.expect_message()


def test_consumer_window_size_zero_means_one_at_a_time(connect: Connect, queue: str) -> None:
    fill(connect, queue, 3)
    client = connect()
    client.subscribe(queue, headers={"consumer-window-size": "0"})
    for _ in range(3):
        message = client.expect_message()
        client.expect_no_message()
        client.ack(message)


def test_consumer_window_size_counts_octets(connect: Connect, queue: str) -> None:
    fill(connect, queue, 20, size=1000)
    client = connect()
    client.subscribe(queue, headers={"consumer-window-size": "3500"})
    count = 0
    client.send_frame("BEGIN", {"transaction": "t", "receipt": "fence"})
    while client.receive().command == "MESSAGE":
        count += 1
    assert 1 <= count <= 6
