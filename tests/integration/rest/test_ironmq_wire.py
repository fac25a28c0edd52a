"""What the clients of IronMQ need of the wire that are not run here (Go, Java, Ruby, PHP), each fact by itself.

The clients of Python and node are run: tests/interop.
"""

from __future__ import annotations

import json

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.http_client import request
from tests.helpers.iron_client import PROJECT, IronClient
from tests.integration.rest.conftest import Connect

__all__: list[str] = []

_QUEUES = f"/3/projects/{PROJECT}/queues"
_TOKEN = "Authorization: OAuth guest"
POST = {"messages": [{"body": "a"}]}


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (request("/3/nothing", _TOKEN), 404),
        (request(f"{_QUEUES}/q/nothing", _TOKEN), 404),
        (request(f"{_QUEUES}/q/messages", _TOKEN, method="PATCH"), 405),
        (request(f"{_QUEUES}/a%2Fb", _TOKEN), 400),
        (request(_QUEUES, _TOKEN, host="elsewhere.example"), 403),
        (request(f"{_QUEUES}/q/messages", _TOKEN, "Content-Encoding: gzip", method="POST", body=b"x"), 415),
        (request(_QUEUES, _TOKEN, "A : b"), 400),
        (request(_QUEUES, _TOKEN, "Content-Length: 3", "Transfer-Encoding: chunked", method="POST"), 400),
        (request(f"{_QUEUES}/{'a' * 10_000}", _TOKEN), 414),
        (request(_QUEUES, _TOKEN, "A: " + "b" * 20_000), 431),
        (request(_QUEUES, _TOKEN, method="BREW"), 501),
        (request(f"{_QUEUES}/q/messages", _TOKEN, "Content-Length: 99999999", method="POST"), 413),
        (request(f"{_QUEUES}/q/messages", "Authorization: OAuth wrong", method="POST"), 401),
        (request(f"{_QUEUES}/q/messages", _TOKEN, method="POST", body=b"{"), 400),
    ],
)
def test_every_error_is_json_whose_length_is_known(connect: Connect, wire: bytes, status: int) -> None:
    """Java reads `msg` only behind exactly this type, and a Content-Length; node tells its callers nothing else."""
    answer = connect().ask(wire)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.headers["transfer-encoding"] is None
    assert set(json.loads(answer.body)) == {"msg"}


# -- Go


def test_go_every_success_is_200_or_201(iron: IronClient, queue_name: str) -> None:
    path = f"queues/{queue_name}"
    statuses = [iron.ask("PUT", path, {}).status, iron.ask("POST", f"{path}/messages", POST).status]
    (message,) = iron.reserve(queue_name)
    one = f"{path}/messages/{message['id']}"
    held = {"reservation_id": message["reservation_id"]}
    statuses.append((touched := iron.ask("POST", f"{one}/touch", held)).status)
    held = {"reservation_id": json.loads(touched.body)["reservation_id"]}
    statuses += [iron.ask("POST", f"{one}/release", held).status, iron.ask("GET", one).status]
    statuses += [iron.ask("DELETE", f"{path}/messages", {}).status, iron.ask("DELETE", path).status]
    assert statuses == [200, 201, 200, 200, 200, 200, 200]


def test_go_says_nothing_by_zeros_and_empty_texts(iron: IronClient, queue_name: str) -> None:
    iron.said("PUT", f"queues/{queue_name}", {"queue": {"message_timeout": 1}})
    iron.post(queue_name, "a")
    (message,) = iron.reserve(queue_name, timeout=0, wait=0, delete=False)
    (again,) = iron.reserve(queue_name, wait=20)  # the queue's own timeout was a second
    assert again["id"] == message["id"]
    (other,) = iron.post(queue_name, "b")
    deletion = {"reservation_id": "", "subscriber_name": ""}
    assert iron.said("DELETE", f"queues/{queue_name}/messages/{other}", deletion) == {"msg": "Deleted"}


def test_go_compares_the_text_of_a_missing_queue(iron: IronClient, queue_name: str) -> None:
    answer = iron.ask("GET", f"queues/{queue_name}")
    assert (answer.status, answer.body) == (404, b'{"msg":"Queue not found"}')


def test_go_asks_for_a_coding_that_is_none_and_gets_plain_json(iron: IronClient, queue_name: str) -> None:
    answer = iron.ask("POST", f"queues/{queue_name}/messages", POST, "Accept-Encoding: gzip/deflate")
    assert answer.headers["content-encoding"] is None
    assert isinstance(json.loads(answer.body)["ids"][0], str)


def test_go_asks_for_a_page_of_101(iron: IronClient) -> None:
    assert iron.ask("GET", "queues", query={"per_page": "101"}).status == 200


# -- Java


def test_java_sends_each_patch_and_delete_as_a_post(iron: IronClient, queue_name: str) -> None:
    path = f"queues/{queue_name}"
    (first, second) = iron.post(queue_name, "a", "b")
    delete = "X-HTTP-Method-Override: DELETE"
    assert iron.ask("POST", f"{path}/messages/{first}", {}, delete).body == b'{"msg":"Deleted"}'
    assert iron.ask("POST", f"{path}/messages", {"ids": [{"id": second}]}, delete).body == b'{"msg":"Deleted"}'
    patched = iron.ask("POST", path, {"queue": {"message_expiration": 404}}, "X-HTTP-Method-Override: PATCH")
    assert json.loads(patched.body)["queue"]["message_expiration"] == 404
    push = {"push": {"subscribers": [{"name": "a", "url": "http://h/a"}, {"name": "b", "url": "http://h/b"}]}}
    iron.said("PUT", f"{path}-push", {"queue": push})
    gone = iron.ask("POST", f"{path}-push/subscribers", {"subscribers": [{"name": "a"}]}, delete)
    assert gone.body == b'{"msg":"Updated"}'


def test_java_makes_a_multicast_queue_by_push_alone(iron: IronClient, queue_name: str) -> None:
    push = {"push": {"subscribers": [{"name": "a", "url": "http://h/a"}]}}
    assert iron.said("PUT", f"queues/{queue_name}", {"queue": push})["queue"]["type"] == "multicast"


# -- Ruby


def test_ruby_updates_by_put_and_loses_nothing(iron: IronClient, queue_name: str) -> None:
    path = f"queues/{queue_name}"
    dead = {"queue_name": "dead", "max_reservations": 3}
    iron.said("PUT", path, {"queue": {"message_timeout": 11, "dead_letter": dead}})
    iron.post(queue_name, "kept")
    queue = iron.said("PUT", path, {"queue": {"message_expiration": 77}})["queue"]
    assert (queue["message_timeout"], queue["dead_letter"]) == (11, dead)
    assert iron.size(queue_name) == 1


# -- PHP


def test_php_puts_its_token_into_every_body(iron: IronClient, queue_name: str) -> None:
    path = f"queues/{queue_name}"
    iron.said("POST", f"{path}/messages", POST | {"oauth": "guest"}, 201)
    (message,) = iron.said("POST", f"{path}/reservations", {"n": 1, "oauth": "guest"})["messages"]
    held = {"reservation_id": message["reservation_id"], "oauth": "guest"}
    assert iron.said("DELETE", f"{path}/messages/{message['id']}", held) == {"msg": "Deleted"}
    assert iron.said("DELETE", f"{path}/messages", {"oauth": "guest"}) == {"msg": "Cleared"}
    assert iron.said("DELETE", path, {"oauth": "guest"}) == {"msg": "Deleted"}


# -- all of them


def test_what_was_once_said_in_v2_is_passed_over(iron: IronClient, queue_name: str) -> None:
    old = {"body": "a", "timeout": 60, "expires_in": 60, "headers": {}}
    iron.said("POST", f"queues/{queue_name}/messages", {"messages": [old], "page": 1}, 201)
    assert iron.said("GET", "queues", page="0", prefix=queue_name) == {"queues": [{"name": queue_name}]}


def test_members_that_are_null_say_nothing(iron: IronClient, queue_name: str) -> None:
    nothing = dict.fromkeys(["type", "message_timeout", "message_expiration", "push", "dead_letter", "alerts"])
    assert iron.said("PUT", f"queues/{queue_name}", {"queue": nothing})["queue"]["type"] == "pull"
    iron.said("POST", f"queues/{queue_name}/messages", {"messages": [{"body": "a", "push_headers": None}]}, 201)
    (message,) = iron.reserve(queue_name, timeout=None, wait=None)
    held = {"reservation_id": message["reservation_id"], "delay": None}
    iron.said("POST", f"queues/{queue_name}/messages/{message['id']}/release", held)


def test_while_publishers_are_held_nothing_is_taken_and_clients_are_told_to_come_again(
    broker_factory: BrokerFactory,
) -> None:
    """All clients try 503 again; PHP's does so with 500 too, posts as well."""
    broker = broker_factory(settings={"storage.disk_free_bytes_min": 1 << 40})
    iron = IronClient(broker.http_client())
    answer = iron.ask("POST", "queues/q/messages", POST)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert set(json.loads(answer.body)) == {"msg"}
    assert iron.ask("GET", "queues/q").status == 404
