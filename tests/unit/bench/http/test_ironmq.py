"""The IronMQ gateway's requests and answers."""

import json

from segue.bench.http.door import BODY_PATTERN
from segue.bench.http.ironmq import IronMQ
from tests.unit.bench.http.http_requests import read_request

DOOR = IronMQ("q")
QUEUE = "/3/projects/5127bf043264140e863e2283/queues/q"


def reserved(*numbers: int, reservation: bool = True) -> bytes:
    messages = [{"id": str(900 + number), "body": (BODY_PATTERN % number).decode()} for number in numbers]
    given = [message | {"reservation_id": f"r{message['id']}"} if reservation else message for message in messages]
    return json.dumps({"messages": given}).encode()


def test_a_batch_is_posted_in_one_request() -> None:
    posted = read_request(DOOR.publishing(3)(5))
    assert (posted.method, posted.path, posted.headers["Authorization"]) == ("POST", f"{QUEUE}/messages", "OAuth guest")
    assert [int(message["body"][:18]) for message in posted.body["messages"]] == [5, 6, 7]


def test_as_many_are_published_as_there_are_ids() -> None:
    assert DOOR.published(b'{"ids":["1","2","3"],"msg":"Messages put on queue."}') == 3


def test_a_reservation_says_how_many_and_how_long() -> None:
    asked = read_request(DOOR.taking(100, wait_seconds=30))
    assert (asked.method, asked.path) == ("POST", f"{QUEUE}/reservations")
    assert (asked.body["n"], asked.body["wait"], asked.body["delete"]) == (100, 30, False)
    assert read_request(DOOR.taking(1, settled=True)).body["delete"] is True


def test_one_message_is_deleted_by_its_id() -> None:
    taken = DOOR.taken(reserved(4))
    deleted = read_request(taken.settlement)
    assert (taken.numbers, deleted.method, deleted.path) == ([4], "DELETE", f"{QUEUE}/messages/904")
    assert deleted.body == {"reservation_id": "r904"}


def test_several_messages_are_deleted_in_one_request() -> None:
    taken = DOOR.taken(reserved(4, 5))
    deleted = read_request(taken.settlement)
    assert (taken.numbers, deleted.method, deleted.path) == ([4, 5], "DELETE", f"{QUEUE}/messages")
    held = [{"id": "904", "reservation_id": "r904"}, {"id": "905", "reservation_id": "r905"}]
    assert deleted.body == {"ids": held}


def test_what_is_settled_or_not_there_needs_no_settlement() -> None:
    assert DOOR.taken(reserved(4, reservation=False)) == ([4], b"")
    assert DOOR.taken(reserved()) == ([], b"")


def test_a_deletion_is_confirmed_in_words() -> None:
    assert DOOR.is_settled(b'{"msg":"Deleted"}')
    assert not DOOR.is_settled(b'{"msg":"?"}')
