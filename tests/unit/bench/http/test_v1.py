"""The requests and answers of Segue's own API."""

import json

from segue.bench.http.door import BODY_PATTERN
from segue.bench.http.v1 import V1
from tests.unit.bench.http.http_requests import read_request

DOOR = V1("q")


def test_a_batch_is_published_in_one_request() -> None:
    published = read_request(DOOR.publishing(2)(5))
    assert (published.method, published.path) == ("POST", "/v1/queues/q/messages")
    assert [int(message["body"][:18]) for message in published.body["messages"]] == [5, 6]


def test_as_many_are_published_as_have_an_answer() -> None:
    assert DOOR.published(b'{"messages":[{"id":"1"},{"id":"2"}]}') == 2


def test_leases_are_asked_for_with_a_wait() -> None:
    asked = read_request(DOOR.taking(100, wait_seconds=30))
    assert (asked.method, asked.path) == ("POST", "/v1/queues/q/leases")
    assert (asked.body["messages_max"], asked.body["wait_seconds"]) == (100, 30)


def test_each_lease_is_acknowledged() -> None:
    leases = [{"id": f"l{number}", "message": {"body": (BODY_PATTERN % number).decode()}} for number in (4, 5)]
    taken = DOOR.taken(json.dumps({"leases": leases}).encode())
    settled = read_request(taken.settlement)
    assert (taken.numbers, settled.method, settled.path) == ([4, 5], "POST", "/v1/settlements")
    acknowledgements = [{"lease": "l4", "action": "ack"}, {"lease": "l5", "action": "ack"}]
    assert settled.body == {"settlements": acknowledgements}


def test_nothing_is_settled_when_nothing_came() -> None:
    assert DOOR.taken(b'{"leases":[]}') == ([], b"")


def test_one_problem_among_the_settlements_is_a_no() -> None:
    assert DOOR.is_settled(b'{"settlements":[{"lease":"l4"}]}')
    assert not DOOR.is_settled(b'{"settlements":[{"lease":"l4"},{"lease":"l5","problem":{"status":409}}]}')
