"""Message groups, exclusive and single active consumers over STOMP, and what is left of groups after a crash."""

from __future__ import annotations

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


def publish_groups(client: StompClient, destination: str, *bodies: bytes) -> None:
    """The first octet of a body is its group."""
    for body in bodies:
        client.publish_confirmed(destination, body, headers={"JMSXGroupID": body[:1].decode()})


def test_a_group_is_with_one_consumer_and_in_order(connect: Connect, queue: str) -> None:
    first, second = connect(), connect()
    for consumer in first, second:
        consumer.subscribe(queue, ack="client-individual", headers={"prefetch-count": "2"}, wait=True)
    publish_groups(connect(), queue, b"a1", b"b1", b"a2", b"b2", b"a3", b"b3")
    messages = {client: [client.expect_message(), client.expect_message()] for client in (first, second)}
    groups = [{message.body[:1] for message in messages[client]} for client in (first, second)]
    assert sorted(map(sorted, groups)) == [[b"a"], [b"b"]]
    for client in first, second:
        for message in messages[client]:
            client.ack(message)
        client.expect_message(messages[client][0].body[:1] + b"3")


def test_a_group_goes_on_elsewhere_when_its_consumer_is_lost(connect: Connect, queue: str) -> None:
    first = connect()
    first.subscribe(queue, ack="client-individual", wait=True)
    publish_groups(connect(), queue, b"a1", b"a2")
    first.expect_messages(b"a1", b"a2")
    second = connect()
    second.subscribe(queue, ack="client-individual", wait=True)
    second.expect_no_message()
    first.reset()
    second.expect_messages(b"a1", b"a2")


def test_groups_hold_after_a_crash_too(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    publish_groups(broker.client(), "/queue/q", b"a1", b"a2", b"b1")
    broker.kill()
    broker.start()
    first, second = broker.client(), broker.client()
    first.subscribe("/queue/q", ack="client-individual", headers={"prefetch-count": "1"}, wait=True)
    message = first.expect_message(b"a1")
    second.subscribe("/queue/q", ack="client-individual", wait=True)
    second.expect_message(b"b1")
    second.expect_no_message()
    first.ack(message)
    first.expect_message(b"a2")


def test_of_single_active_consumers_the_next_takes_over(connect: Connect, queue: str) -> None:
    first, second = connect(), connect()
    for consumer in first, second:
        consumer.subscribe(queue, ack="auto", headers={"x-single-active-consumer": "true"}, wait=True)
    publisher = connect()
    publisher.publish_confirmed(queue, b"1")
    first.expect_messages(b"1")
    second.expect_no_message()
    first.disconnect()
    publisher.publish_confirmed(queue, b"2")
    second.expect_messages(b"2")


def test_an_exclusive_consumer_of_activemq_gets_everything(connect: Connect, queue: str) -> None:
    plain, alone = connect(), connect()
    plain.subscribe(queue, ack="auto", wait=True)
    alone.subscribe(queue, ack="auto", headers={"activemq.exclusive": "true"}, wait=True)
    publisher = connect()
    for number in range(4):
        publisher.publish_confirmed(queue, b"%d" % number)
    alone.expect_messages(b"0", b"1", b"2", b"3")
    plain.expect_no_message()


def test_the_consumer_with_the_higher_priority_is_served_first(connect: Connect, queue: str) -> None:
    low, high = connect(), connect()
    low.subscribe(queue, ack="client-individual", wait=True)
    high.subscribe(queue, ack="client-individual", headers={"x-priority": "5", "prefetch-count": "2"}, wait=True)
    publisher = connect()
    for number in range(3):
        publisher.publish_confirmed(queue, b"%d" % number)
    high.expect_messages(b"0", b"1")
    low.expect_messages(b"2")


def test_a_priority_that_is_no_number_is_refused(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, headers={"x-priority": "high"}, wait=False)
    assert client.expect("ERROR")["error-code"] == "invalid-header"
