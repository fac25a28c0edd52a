"""Temporary queues, for request and reply (stomp.md §5)."""

from __future__ import annotations

import pytest

from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_VERSIONS = ["1.0", "1.1", "1.2"]


@pytest.mark.parametrize("version", _VERSIONS)
def test_a_reply_reaches_who_asked(connect: Connect, queue: str, version: str) -> None:
    """RabbitMQ's way: `reply-to:/temp-queue/X` subscribes at once, the server sees `/reply-queue/…`."""
    client, server = connect(version), connect(version)
    server.subscribe(queue, ack="auto")
    client.publish(queue, b"question", headers={"reply-to": "/temp-queue/answers", "correlation-id": "17"})
    request = server.expect_message(b"question")
    assert request["reply-to"].startswith("/reply-queue/")
    server.publish(request["reply-to"], b"answer", headers={"correlation-id": request["correlation-id"]})
    client.expect_message(b"answer", subscription="/temp-queue/answers", correlation_id="17")


def test_one_reply_queue_serves_many_requests(connect: Connect, queue: str) -> None:
    client, server = connect(), connect()
    server.subscribe(queue, ack="auto")
    for number in range(10):
        client.publish(queue, b"%d" % number, headers={"reply-to": "/temp-queue/a"})
    requests = [server.expect_message() for _ in range(10)]
    assert len({request["reply-to"] for request in requests}) == 1
    for request in requests:
        server.publish(request["reply-to"], request.body)
    client.expect_messages(*(b"%d" % number for number in range(10)))


def test_the_reply_queues_of_two_connections_are_two(connect: Connect, queue: str) -> None:
    server = connect()
    server.subscribe(queue, ack="auto")
    clients = [connect(), connect()]
    for number, client in enumerate(clients):
        client.publish(queue, b"%d" % number, headers={"reply-to": "/temp-queue/same"})
    requests = sorted((server.expect_message() for _ in clients), key=lambda frame: frame.body)
    assert requests[0]["reply-to"] != requests[1]["reply-to"]
    for number, client in enumerate(clients):
        server.publish(requests[number]["reply-to"], b"to %d" % number)
        client.expect_message(b"to %d" % number)


def test_a_reply_queue_dies_with_its_connection(connect: Connect, queue: str) -> None:
    client, server = connect(), connect()
    server.subscribe(queue, ack="auto")
    client.publish(queue, b"question", headers={"reply-to": "/temp-queue/answers"})
    address = server.expect_message(b"question")["reply-to"]
    client.disconnect()
    server.send_frame("SEND", {"destination": address, "receipt": "r"}, b"too late")
    server.expect_error("not_found")


def test_a_temporary_queue_may_be_subscribed_to_by_name(connect: Connect) -> None:
    """ActiveMQ's way."""
    client = connect()
    client.subscribe("/temp-queue/mine", id="t", ack="auto")
    client.publish("/temp-queue/mine", b"to myself")
    client.expect_message(b"to myself", subscription="t")


def test_a_reply_to_a_queue_subscribed_by_name(connect: Connect, queue: str) -> None:
    """ActiveMQ's way: SUBSCRIBE first, then send with `reply-to`."""
    client, server = connect(), connect()
    server.subscribe(queue, ack="auto")
    client.subscribe("/temp-queue/mine", id="t", ack="auto")
    client.publish(queue, b"question", headers={"reply-to": "/temp-queue/mine"})
    server.publish(server.expect_message(b"question")["reply-to"], b"answer")
    client.expect_message(b"answer")
    client.expect_no_message()


def test_a_temporary_queue_with_client_ack(connect: Connect) -> None:
    """rabbitmq-stomp #95: RabbitMQ has no client ack on temporary queues."""
    client = connect()
    client.subscribe("/temp-queue/mine", id="t")
    client.publish("/temp-queue/mine", b"1")
    client.nack(client.expect_message(b"1"))
    client.ack(client.expect_message(b"1", redelivered="true"), wait=True)


def test_other_reply_to_addresses_pass_unchanged(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, ack="auto")
    for address in ("/queue/answers", "/topic/answers", "amq.rabbitmq.reply-to", "anything"):
        client.publish(queue, headers={"reply-to": address})
        client.expect_message(reply_to=address)


def test_more_temporary_queues_than_the_limit_are_refused(connect: Connect) -> None:
    client = connect()
    for number in range(100):
        client.subscribe(f"/temp-queue/{number}", id=str(number), wait=False)
    client.send_frame("SUBSCRIBE", {"destination": "/temp-queue/more", "id": "more", "receipt": "r"})
    client.expect_error()


def test_a_question_whose_answer_reaches_nobody_any_more_is_not_taken(connect: Connect, queue: str) -> None:
    """The answer and the acknowledgement are one transaction, and the asker is gone before its COMMIT."""
    asker, worker = connect(), connect()
    worker.subscribe(queue, ack="client-individual")
    asker.publish(queue, b"question", headers={"reply-to": "/temp-queue/answers", "correlation-id": "7"})
    question = worker.expect_message(b"question", correlation_id="7")
    worker.begin("t")
    worker.publish(question["reply-to"], b"answer", headers={"transaction": "t"})
    worker.ack(question, transaction="t")
    asker.disconnect()
    worker.send_frame("COMMIT", {"transaction": "t", "receipt": "r"})
    worker.expect_error("not_found")
    other = connect()
    other.subscribe(queue, ack="client-individual")
    other.expect_message(b"question", redelivered="true")
