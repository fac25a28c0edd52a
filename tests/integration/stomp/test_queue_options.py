"""`durable`, `auto-delete` and `exclusive`: queues that do not outlive something (stomp.md §5)."""

from __future__ import annotations

from tests.helpers.broker_process import BrokerFactory
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


def test_an_exclusive_queue_is_its_connections_alone(connect: Connect, queue: str) -> None:
    owner, other = connect(), connect()
    owner.subscribe(queue, headers={"exclusive": "true"})
    other.send_frame("SUBSCRIBE", {"destination": queue, "id": "1", "receipt": "r"})
    other.expect_error()
    owner.publish(queue, b"mine")
    owner.expect_message(b"mine")


def test_an_exclusive_queue_goes_with_its_connection(connect: Connect, queue: str) -> None:
    owner = connect()
    owner.subscribe(queue, headers={"exclusive": "true"})
    owner.publish_confirmed(queue, b"gone")
    owner.disconnect()
    other = connect()
    other.send_frame("SUBSCRIBE", {"destination": queue.replace("/queue/", "/amq/queue/"), "id": "1"})
    other.expect_error("not_found")


def test_an_auto_delete_queue_goes_with_its_last_consumer(connect: Connect, queue: str) -> None:
    first, second = connect(), connect()
    for client in (first, second):
        client.subscribe(queue, headers={"auto-delete": "true"})
    first.disconnect()
    second.publish_confirmed(queue, b"1")
    second.expect_message(b"1")
    second.disconnect()
    other = connect()
    other.send_frame("SUBSCRIBE", {"destination": queue.replace("/queue/", "/amq/queue/"), "id": "1"})
    other.expect_error("not_found")


def test_a_queue_that_is_not_durable_does_not_survive_a_restart(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(settings={"limits.drain_seconds": 0})
    client = broker.client()
    client.subscribe("/queue/passing", headers={"durable": "false"})
    client.publish_confirmed("/queue/passing", b"1")
    client.publish_confirmed("/queue/lasting", b"2")
    client.disconnect()
    assert broker.stop() == 0
    broker.start()
    other = broker.client()
    other.subscribe("/queue/lasting")
    other.expect_message(b"2")
    other.send_frame("SUBSCRIBE", {"destination": "/amq/queue/passing", "id": "1"})
    other.expect_error("not_found")


def test_a_flag_that_is_neither_true_nor_false_is_an_error(connect: Connect, queue: str) -> None:
    for name in ("durable", "auto-delete", "exclusive"):
        client = connect()
        client.send_frame("SUBSCRIBE", {"destination": queue, "id": "1", name: "perhaps"})
        client.expect_error()


def test_a_queue_bounded_in_bytes_keeps_the_newest_through_a_restart(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    client = broker.client()
    for number in range(6):
        bound = {"x-max-length-bytes": "3000"}
        client.publish_confirmed("/queue/latest", b"%d" % number + 900 * b"x", headers=bound)
    broker.kill()
    broker.start()
    client = broker.client()
    client.publish_confirmed("/queue/latest", b"6" + 900 * b"x")
    client.subscribe("/queue/latest", ack="auto")
    first = client.expect("MESSAGE")
    assert first.body[:1] == b"4"


def test_a_queue_with_too_many_bytes_refuses_its_publisher(connect: Connect, queue: str) -> None:
    client = connect()
    bound = {"x-max-length-bytes": "2000", "x-overflow": "reject-publish", "receipt": "1"}
    client.publish_confirmed(queue, 1000 * b"x", headers=bound)
    client.send_frame("SEND", {"destination": queue, **bound}, 1000 * b"x")
    assert "2000 bytes" in client.expect_error("limit reached").body.decode()


def test_an_overflow_that_there_is_not_is_an_error(connect: Connect, queue: str) -> None:
    client = connect()
    client.send_frame("SUBSCRIBE", {"destination": queue, "id": "1", "x-overflow": "reject-publish-dlx"})
    assert "drop-head or reject-publish" in client.expect_error("invalid header").body.decode()


def test_an_idle_queue_goes_and_its_time_survives_a_crash(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    client = broker.client()
    client.subscribe("/queue/idle", ack="client-individual", headers={"x-expires": "1"})
    client.publish_confirmed("/queue/idle", b"1")
    client.expect_message(b"1")
    broker.kill()
    broker.start()
    broker.wait_for_log(r"queue\.expired.*idle.*messages=1")
    other = broker.client()
    other.send_frame("SUBSCRIBE", {"destination": "/amq/queue/idle", "id": "1"})
    other.expect_error("not_found")


def test_a_queue_can_not_be_idle_for_no_time(connect: Connect, queue: str) -> None:
    client = connect()
    client.send_frame("SUBSCRIBE", {"destination": queue, "id": "1", "x-expires": "0"})
    client.expect_error("invalid header")
