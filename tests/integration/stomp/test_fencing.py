"""Settling is fenced: who no longer holds a message can't settle it; a refused ACK changes nothing (FAULTS 38, 39).

In STOMP 1.2 an ack id names one delivery of one subscription, and no later one. In 1.0 and 1.1 a client can only name
the message: there the delivery that is out with this client is meant; what is out with somebody else is refused.
"""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.helpers.stomp_frames import Frame
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_VERSIONS = pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
_OLD_VERSIONS = pytest.mark.parametrize("version", ["1.0", "1.1"])
_COMMANDS = pytest.mark.parametrize("command", ["ACK", "NACK"])
_MODES = pytest.mark.parametrize("mode", ["client", "client-individual"])
_TRANSACTION = pytest.mark.parametrize("transaction", [None, "t"])


def take(client: StompClient, queue: str, mode: str = "client-individual") -> Frame:
    """Subscribe, and return the one message that comes."""
    client.subscribe(queue, ack=mode)
    return client.expect_message()


def settle(client: StompClient, command: str, message: Frame, transaction: str | None = None) -> None:
    """ACK or NACK a delivery, perhaps in a transaction that is committed in the same breath."""
    if transaction is None:
        client.send_frame(command, client.settle_headers(message))
        return
    client.begin(transaction)
    client.send_frame(command, client.settle_headers(message) | {"transaction": transaction})
    client.send_frame("COMMIT", {"transaction": transaction})


def expect_waiting(client: StompClient, queue: str, body: bytes) -> None:
    """The message is in its queue, and nothing else is."""
    client.subscribe(queue)
    client.ack(client.expect_message(body), wait=True)
    client.expect_no_message()


@_VERSIONS
@_COMMANDS
@_TRANSACTION
def test_what_has_gone_to_another_consumer_can_not_be_settled_by_the_one_before(
    connect: Connect, queue: str, version: str, command: str, transaction: str | None
) -> None:
    connect().publish_confirmed(queue, b"job")
    first = connect(version)
    old = take(first, queue)
    first.close()
    holder = connect(version)
    new = take(holder, queue)
    late = connect(version)
    late.subscribe(queue)
    settle(late, command, old, transaction)
    late.expect_error("unknown acknowledgement")
    holder.expect_no_message()
    holder.ack(new, wait=True)
    holder.disconnect()
    other = connect()
    other.subscribe(queue)
    other.expect_no_message()


@_VERSIONS
@_COMMANDS
@_MODES
@_TRANSACTION
def test_an_id_from_before_a_reconnect_does_not_fit_a_message_of_another_queue(
    connect: Connect, queue: str, version: str, command: str, mode: str, transaction: str | None
) -> None:
    """The first message of the first subscription, on the old connection and on the new one."""
    for name in ("jobs", "mails"):
        connect().publish_confirmed(f"{queue}-{name}", name.encode())
    first = connect(version)
    old = take(first, f"{queue}-jobs", mode)
    first.close()
    again = connect(version)
    take(again, f"{queue}-mails", mode)
    settle(again, command, old, transaction)
    again.expect_error("unknown acknowledgement")
    other = connect()
    expect_waiting(other, f"{queue}-mails", b"mails")


@_COMMANDS
@_MODES
@_TRANSACTION
def test_the_ack_id_of_an_earlier_delivery_is_refused_on_the_same_subscription(
    connect: Connect, queue: str, command: str, mode: str, transaction: str | None
) -> None:
    client = connect()
    client.publish_confirmed(queue, b"job")
    old = take(client, queue, mode)
    client.nack(old)
    client.expect_message(b"job", redelivered="true")
    settle(client, command, old, transaction)
    client.expect_error("unknown acknowledgement")
    expect_waiting(connect(), queue, b"job")


@_COMMANDS
@_TRANSACTION
def test_the_ack_id_of_an_earlier_delivery_is_refused_on_a_later_subscription_of_the_same_id(
    connect: Connect, queue: str, command: str, transaction: str | None
) -> None:
    client = connect()
    client.publish_confirmed(queue, b"job")
    old = take(client, queue)
    client.unsubscribe()
    take(client, queue)
    settle(client, command, old, transaction)
    client.expect_error("unknown acknowledgement")
    expect_waiting(connect(), queue, b"job")


@_OLD_VERSIONS
@_TRANSACTION
def test_a_message_id_means_the_delivery_that_is_out_with_the_client(
    connect: Connect, queue: str, version: str, transaction: str | None
) -> None:
    client = connect(version)
    client.publish_confirmed(queue, b"job")
    old = take(client, queue)
    client.nack(old)
    client.expect_message(b"job", redelivered="true")
    settle(client, "ACK", old, transaction)
    client.disconnect()
    other = connect()
    other.subscribe(queue)
    other.expect_no_message()


@_VERSIONS
@_TRANSACTION
def test_a_message_that_has_come_back_can_not_be_settled_by_who_gave_it_back(
    connect: Connect, queue: str, version: str, transaction: str | None
) -> None:
    """It went to the other consumer of the queue, while the first is still connected and subscribed."""
    first, second = connect(version), connect(version)
    first.publish_confirmed(queue, b"job")
    old = take(first, queue)
    second.subscribe(queue)
    first.unsubscribe()
    new = second.expect_message(b"job", redelivered="true")
    first.subscribe(queue)
    settle(first, "ACK", old, transaction)
    first.expect_error("unknown acknowledgement")
    second.ack(new, wait=True)


@_VERSIONS
def test_a_transaction_that_acknowledges_in_vain_sends_nothing(connect: Connect, queue: str, version: str) -> None:
    """It was begun, and had its result, while its consumer still held the job; the COMMIT follows in the same read."""
    worker = connect(version)
    worker.publish_confirmed(f"{queue}-jobs", b"job")
    worker.begin("t")
    old = take(worker, f"{queue}-jobs")
    worker.publish(f"{queue}-results", b"result", transaction="t")
    worker.unsubscribe()
    holder = connect()
    new = take(holder, f"{queue}-jobs")
    worker.ack(old, transaction="t")
    worker.send_frame("COMMIT", {"transaction": "t", "receipt": "never"})
    worker.expect_error("unknown acknowledgement")
    holder.ack(new, wait=True)
    holder.subscribe(f"{queue}-results", id="results")
    holder.expect_no_message()


class Restarted:
    """A broker that was started anew, and a delivery from the time before for each version, each in its own queue."""

    def __init__(self, broker: BrokerProcess, end: str) -> None:
        self.broker = broker
        self.old: dict[str, Frame] = {}
        broker.client().publish_confirmed("/queue/mails", b"mails")
        for version in ("1.0", "1.1", "1.2"):
            client = broker.client(version)
            client.publish_confirmed(f"/queue/{version}", b"job")
            self.old[version] = take(client, f"/queue/{version}")
            client.subscribe("/topic/news", id="news")
            client.publish("/topic/news", b"news")
            self.old[f"news {version}"] = client.expect_message(b"news")
            client.unsubscribe("news")
        if end == "kill":
            broker.kill()
        else:
            assert broker.stop() == 0, broker.log
        broker.start()


@pytest.fixture(params=["stop", "kill"])
def restarted(request: pytest.FixtureRequest, broker_factory: BrokerFactory) -> Restarted:
    """After an orderly stop, and after a crash: then the counts of deliveries may be lost."""
    return Restarted(broker_factory(settings={"limits.drain_seconds": 0}), request.param)


def test_after_a_restart_an_id_from_before_settles_only_what_it_names(restarted: Restarted) -> None:
    broker = restarted.broker
    for version in ("1.0", "1.1", "1.2"):
        expect_refused_without_the_message(broker, version, restarted.old[version])
    expect_waiting(broker.client(), "/queue/mails", b"mails")
    expect_refused_for_a_new_delivery(broker, "/queue/1.2", restarted.old["1.2"])
    for version in ("1.0", "1.1"):
        expect_accepted_for_a_new_delivery(broker, version, restarted.old[version])
        expect_another_message_id_on_a_topic(broker, version, restarted.old[f"news {version}"])


def expect_refused_without_the_message(broker: BrokerProcess, version: str, old: Frame) -> None:
    """Whoever holds the job now, and whatever else this client holds: it has the first message of another queue."""
    holder = broker.client(version)
    new = take(holder, f"/queue/{version}")
    for transaction in (None, "t"):
        late = broker.client(version)
        take(late, "/queue/mails")
        settle(late, "ACK", old, transaction)
        late.expect_error("unknown acknowledgement")
    holder.nack(new, wait=True)
    holder.disconnect()


def expect_refused_for_a_new_delivery(broker: BrokerProcess, queue: str, old: Frame) -> None:
    for transaction in (None, "t"):
        again = broker.client()
        assert take(again, queue)["message-id"] == old["message-id"]
        settle(again, "ACK", old, transaction)
        again.expect_error("unknown acknowledgement")
    expect_waiting(broker.client(), queue, b"job")


def expect_accepted_for_a_new_delivery(broker: BrokerProcess, version: str, old: Frame) -> None:
    """There the client can only name the message, and holds it."""
    again = broker.client(version)
    take(again, f"/queue/{version}")
    again.ack(old, wait=True)
    again.disconnect()
    other = broker.client()
    other.subscribe(f"/queue/{version}")
    other.expect_no_message()


def expect_another_message_id_on_a_topic(broker: BrokerProcess, version: str, old: Frame) -> None:
    """Its messages were in memory: those of the next process must not be taken for them."""
    client = broker.client(version)
    client.subscribe("/topic/news")
    for _ in range(3):
        client.publish("/topic/news", b"news")
        assert client.expect_message(b"news")["message-id"] != old["message-id"]
