"""The requests and answers of RabbitMQ's management API."""

import json

from segue.bench.http.door import BODY_PATTERN
from segue.bench.http.management import Management
from tests.unit.bench.http.http_requests import read_request

DOOR = Management("q")


def test_a_message_is_published_persistent_by_the_default_exchange() -> None:
    published = read_request(DOOR.publishing(1)(5))
    assert (published.method, published.path) == ("POST", "/api/exchanges/%2F/amq.default/publish")
    assert (published.body["routing_key"], published.body["properties"]) == ("q", {"delivery_mode": 2})
    assert published.body["payload"] == (BODY_PATTERN % 5).decode()


def test_a_message_that_no_queue_took_is_not_published() -> None:
    assert [DOOR.published(b'{"routed":true}'), DOOR.published(b'{"routed":false}')] == [1, 0]


def test_what_is_got_is_acknowledged_at_once() -> None:
    asked = read_request(DOOR.taking(1, settled=True))
    assert (asked.method, asked.path) == ("POST", "/api/queues/%2F/q/get")
    assert (asked.body["count"], asked.body["ackmode"]) == (1, "ack_requeue_false")
    got = [{"payload": (BODY_PATTERN % number).decode(), "redelivered": False} for number in (4, 5)]
    assert DOOR.taken(json.dumps(got).encode()) == ([4, 5], b"")
