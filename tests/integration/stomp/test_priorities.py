"""Priorities over STOMP: as clients of RabbitMQ and of ActiveMQ say them, through every way in, and through crashes."""

from __future__ import annotations

from itertools import count

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import StompClient
from tests.integration.cli.conftest import run_segue
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_TEN = {"x-max-priority": "9"}
_MIXED = [(b"a", "0"), (b"b", "9"), (b"c", None), (b"d", "4"), (b"e", "9"), (b"f", "0"), (b"g", "5")]
_IN_ORDER = (b"b", b"e", b"g", b"c", b"d", b"a", b"f")


def publish(client: StompClient, destination: str, *messages: tuple[bytes, str | None], **more: str) -> None:
    """Messages with their priorities; all of them are on disk when this returns."""
    for body, priority in messages:
        headers = _TEN if priority is None else {**_TEN, "priority": priority}
        client.publish(destination, body, headers={**headers, **more})
    client.publish_confirmed("/queue/unread", b"")


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_the_highest_goes_first_and_of_equal_ones_the_oldest(connect: Connect, queue: str, version: str) -> None:
    publish(connect(version), queue, *_MIXED)
    consumer = connect(version)
    consumer.subscribe(queue)
    found = consumer.expect_messages(*_IN_ORDER)
    assert [frame.get("priority") for frame in found] == ["9", "9", "5", None, "4", "0", "0"]
    assert len({frame["message-id"] for frame in found}) == len(found)


@pytest.mark.parametrize("mode", ["client", "client-individual"])
def test_urgent_messages_pass_those_that_wait_and_not_those_that_are_out(
    connect: Connect, queue: str, mode: str
) -> None:
    producer, consumer = connect(), connect()
    publish(producer, queue, (b"1", "1"), (b"2", "1"), (b"3", "1"))
    consumer.subscribe(queue, ack=mode, headers={"prefetch-count": "1"})
    out = consumer.expect_message(b"1")
    publish(producer, queue, (b"4", "8"))
    for body in (b"4", b"2", b"3"):
        consumer.ack(out)
        out = consumer.expect_message(body)
    consumer.ack(out)
    consumer.expect_no_message()


def test_a_refused_message_comes_again_at_its_level(connect: Connect, queue: str) -> None:
    producer, consumer = connect(), connect()
    publish(producer, queue, (b"1", "1"), (b"2", "1"))
    consumer.subscribe(queue, ack="client-individual", headers={"prefetch-count": "1"})
    out = consumer.expect_message(b"1")
    publish(producer, queue, (b"3", "8"))
    consumer.nack(out)
    consumer.ack(consumer.expect_message(b"3"))
    again = consumer.expect_message(b"1")
    assert (again["redelivered"], again["x-delivery-count"]) == ("true", "2")
    consumer.ack(again)
    consumer.ack(consumer.expect_message(b"2"))


def test_a_cumulative_acknowledgement_goes_by_the_order_of_delivery(connect: Connect, queue: str) -> None:
    producer, consumer, other = connect(), connect(), connect()
    publish(producer, queue, *_MIXED)
    consumer.subscribe(queue, ack="client")
    found = consumer.expect_messages(*_IN_ORDER)
    consumer.ack(found[4], wait=True)
    consumer.disconnect()
    other.subscribe(queue)
    other.expect_messages(*_IN_ORDER[5:])
    other.expect_no_message()


def test_more_than_the_highest_is_the_highest(connect: Connect, queue: str) -> None:
    client = connect()
    for body, priority in [(b"a", "2"), (b"b", "255"), (b"c", "3"), (b"d", "99999")]:
        client.publish_confirmed(queue, body, headers={"x-max-priority": "3", "priority": priority})
    client.subscribe(queue)
    client.expect_messages(b"b", b"c", b"d", b"a")


def test_the_255_priorities_of_rabbitmq_are_in_order(connect: Connect, queue: str) -> None:
    client = connect()
    for priority in ("0", "128", "24", "255", "200"):
        client.publish_confirmed(queue, priority.encode(), headers={"x-max-priority": "255", "priority": priority})
    client.subscribe(queue)
    client.expect_messages(b"255", b"200", b"128", b"24", b"0")


def test_a_queue_without_the_option_passes_the_header_on(connect: Connect, queue: str) -> None:
    client = connect()
    for priority in ("0", "9", "4"):
        client.publish_confirmed(queue, priority.encode(), headers={"priority": priority})
    client.subscribe(queue)
    found = client.expect_messages(b"0", b"9", b"4")
    assert [frame["priority"] for frame in found] == ["0", "9", "4"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("priority", "high"), ("priority", "-1"), ("priority", ""), ("x-max-priority", "256"), ("x-max-priority", "-1")],
)
def test_what_is_no_priority_is_an_error(connect: Connect, queue: str, name: str, value: str) -> None:
    client = connect()
    client.publish(queue, b"", headers={name: value})
    assert f"for '{name}'" in client.expect_error().body.decode()


def test_a_transaction_brings_messages_to_their_levels(connect: Connect, queue: str) -> None:
    client = connect()
    client.begin("t")
    for body, priority in _MIXED:
        headers = _TEN if priority is None else {**_TEN, "priority": priority}
        client.publish(queue, body, headers=headers, transaction="t")
    client.commit("t")
    client.subscribe(queue)
    client.expect_messages(*_IN_ORDER)


def test_lists_of_destinations_and_topics_do_too(connect: Connect, queue: str, queue_name: str) -> None:
    client, reader = connect(), connect()
    reader.subscribe(f"/topic/{queue_name}", headers={**_TEN, "x-queue-name": f"{queue_name}-bound", "durable": "true"})
    reader.disconnect()
    for body, priority in _MIXED:
        headers = _TEN if priority is None else {**_TEN, "priority": priority}
        client.publish(f"{queue},{queue}-2,/topic/{queue_name}", body, headers=headers)
    client.publish_confirmed("/queue/unread", b"")
    for number, destination in enumerate((queue, f"{queue}-2", f"{queue}-bound")):
        client.subscribe(destination, id=str(number))
        client.expect_messages(*_IN_ORDER)


def test_deduplicated_messages_are_sorted_too(connect: Connect, queue: str) -> None:
    """And a repeat is answered with the id that the first one is delivered with."""
    client = connect()
    ids: list[set[str]] = [set() for _ in _MIXED]
    for number, (body, priority) in [*enumerate(_MIXED), *enumerate(_MIXED)]:
        headers = {} if priority is None else {"priority": priority}
        more = {"dedup-id": str(number), "receipt": f"r{number}"}
        client.publish(queue, body, headers={**_TEN, **headers, **more})
        ids[number].add(client.expect_receipt(f"r{number}")["message-id"])
    client.subscribe(queue)
    found = client.expect_messages(*_IN_ORDER)
    client.expect_no_message()
    by_body = {frame.body: {frame["message-id"]} for frame in found}
    assert ids == [by_body[body] for body, _ in _MIXED]


def test_delayed_messages_are_sorted_when_their_time_has_come(connect: Connect, queue: str) -> None:
    client, consumer = connect(), connect()
    consumer.subscribe(queue, ack="client", headers={**_TEN, "prefetch-count": "1"})
    publish(client, queue, (b"first", "0"))
    out = consumer.expect_message(b"first")
    publish(client, queue, *_MIXED, delay="200")
    publish(client, f"{queue}-signal", (b"", None), delay="600")
    client.subscribe(f"{queue}-signal")
    client.expect_message(b"")
    for body in _IN_ORDER:
        consumer.ack(out)
        out = consumer.expect_message(body)


def test_a_message_that_is_put_off_comes_again_at_its_level(connect: Connect, queue: str) -> None:
    client, consumer = connect(), connect()
    publish(client, queue, (b"high", "9"), (b"low 1", "1"), (b"low 2", "1"))
    consumer.subscribe(queue, ack="client-individual", headers={"prefetch-count": "1"})
    put_off = consumer.expect_message(b"high")
    consumer.send_frame("NACK", {**consumer.settle_headers(put_off), "delay": "200"})
    out = consumer.expect_message(b"low 1")
    publish(client, f"{queue}-signal", (b"", None), delay="600")
    client.subscribe(f"{queue}-signal")
    client.expect_message(b"")
    consumer.ack(out)
    again = consumer.expect_message(b"high")
    assert (again["redelivered"], again["x-delivery-count"], again["priority"]) == ("true", "2", "9")
    consumer.ack(again)
    consumer.expect_message(b"low 2")


def test_a_browser_sees_the_order_of_delivery(connect: Connect, queue: str) -> None:
    client = connect()
    publish(client, queue, *_MIXED)
    client.subscribe(queue, id="b", headers={"browser": "true"})
    client.expect_messages(*_IN_ORDER)
    assert client.expect_message(b"")["browser"] == "end"
    client.subscribe(queue, id="c")
    client.expect_messages(*_IN_ORDER)


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_levels_are_there_after_a_restart_and_so_is_what_was_out(broker_factory: BrokerFactory, end: str) -> None:
    broker = broker_factory(settings={"limits.drain_seconds": 0})
    client, numbers = broker.client(), count()
    sent: dict[int, list[bytes]] = {level: [] for level in range(10)}
    for _ in range(30):
        for level in range(10):
            sent[level].append(b"%d" % next(numbers))
            client.publish("/queue/q", sent[level][-1], headers={**_TEN, "priority": str(level)})
    client.publish_confirmed("/queue/unread", b"")
    consumer = broker.client()
    consumer.subscribe("/queue/q", ack="client-individual", headers={"prefetch-count": "40"})
    out = consumer.expect_messages(*sent[9], *sent[8][:10])
    for frame in out[::2]:
        consumer.ack(frame)
    consumer.ack(out[1], wait=True)
    consumer.expect_messages(*sent[8][10:30], sent[7][0])
    broker.kill() if end == "kill" else broker.stop()
    broker.start()
    consumer = broker.client()
    consumer.subscribe("/queue/q", headers={"prefetch-count": "1000"})
    left = [frame.body for frame in out[3::2]]
    owed = [body for body in (*sent[9], *sent[8]) if body in left or body in sent[8][10:]]
    rest = [body for level in range(7, -1, -1) for body in sent[level]]
    found = consumer.expect_messages(*owed, *rest)
    assert {frame["redelivered"] for frame in found[: len(owed)]} == {"true"}
    consumer.expect_no_message()


def test_policies_give_priorities_to_queues_that_are_there_and_take_them_away_through_a_crash(
    broker_factory: BrokerFactory,
) -> None:
    """They hold for the next message of a publisher whose head is known for long, to a queue and to a list of two."""
    broker = broker_factory()
    client = broker.client()
    data = ("--data", str(broker.data))

    def send(*messages: tuple[bytes, str]) -> None:
        for destination in ("/queue/q", "/queue/r,/queue/s"):
            for body, priority in messages:
                client.publish_confirmed(destination, body, headers={"priority": priority})

    send((b"1", "9"), (b"2", "9"), (b"3", "9"))
    done = run_segue("policy", "set", "p", "--queues", "*", "--priority-max", "9", *data)
    assert done.exit_code == 0, done
    send((b"4", "9"), (b"5", "0"), (b"6", "4"))
    assert run_segue("policy", "delete", "p", *data).exit_code == 0
    send((b"7", "9"))
    broker.kill()
    broker.start()
    client = broker.client()
    for queue in "qrs":
        client.subscribe(f"/queue/{queue}", id=queue)
        client.expect_messages(b"4", b"5", b"1", b"2", b"3", b"6", b"7")
