"""Segue's own API from outside: queues, and what requests are refused with."""

from __future__ import annotations

import json

import pytest

from tests.helpers.http_client import request
from tests.helpers.v1_client import V1Client
from tests.integration.rest.conftest import Connect


def test_a_queue_is_made_changed_under_a_condition_and_deleted(v1: V1Client, queue_name: str) -> None:
    path = f"queues/{queue_name}"
    made = v1.ask("PUT", path, {"messages_max": 5})
    assert made.status == 201
    assert json.loads(made.body)["declared"] == {"messages_max": 5}
    seen = f"If-Match: {made.headers['etag']}"
    changed = v1.ask("PATCH", path, {"messages_max": None, "delivery_limit": 3}, seen)
    assert json.loads(changed.body)["declared"] == {"delivery_limit": 3}
    assert v1.said("PATCH", path, {"paused": True}, seen, status=412)["type"] == "/problems/precondition-failed"
    now = f"If-Match: {changed.headers['etag']}"
    assert v1.said("PATCH", path, {"paused": True}, now)["paused"]
    v1.publish(queue_name, "a")
    assert v1.said("DELETE", f"{path}?if_empty=true", status=409)["type"] == "/problems/in-use"
    assert v1.said("DELETE", path) == {"messages": 1}
    for method in ("GET", "PATCH", "DELETE"):
        assert v1.said(method, path, status=404)["type"] == "/problems/not-found"


def test_queues_are_listed_by_prefix_a_page_at_a_time(v1: V1Client) -> None:
    for name in ("list.b", "list.a", "list.~1c", "other"):
        v1.said("PUT", f"queues/{name}", status=201)
    page = v1.said("GET", "queues?prefix=list.&limit=2")
    assert [queue["name"] for queue in page["queues"]] == ["list./c", "list.a"]
    page = v1.said("GET", f"queues?prefix=list.&limit=2&after={page['next']}")
    assert ([queue["name"] for queue in page["queues"]], page["next"]) == (["list.b"], None)


@pytest.mark.parametrize(
    ("method", "path", "body", "problem"),
    [
        ("PUT", "queues/x", {"messages_max": "5"}, {"type": "invalid-body", "pointer": "/messages_max"}),
        ("PUT", "queues/x", b"{", {"type": "bad-json"}),
        ("GET", "queues?limit=0", None, {"type": "invalid-parameter", "parameter": "limit"}),
        ("GET", "queues?page=1", None, {"type": "invalid-parameter", "parameter": "page"}),
        ("POST", "queues/x/messages", {"messages": [{}, {"ttl_ms": -1}]},
         {"type": "invalid-body", "pointer": "/messages/1/ttl_ms"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(
    v1: V1Client, method: str, path: str, body: object, problem: dict[str, str]
) -> None:
    answer = v1.ask(method, path, body)
    assert answer.headers["content-type"] == "application/problem+json"
    told = json.loads(answer.body)
    assert (answer.status, told["status"], told["retryable"]) == (400, 400, False)
    assert {name: told[name].removeprefix("/problems/") for name in problem} == problem


def test_only_the_description_is_shown_to_strangers(connect: Connect) -> None:
    client = connect()
    refused = client.ask(request("/v1/queues"))
    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Basic realm="Segue", charset="UTF-8"')
    assert json.loads(refused.body)["type"] == "/problems/unauthorized"
    assert json.loads(client.ask(request("/openapi.json")).body)["openapi"] == "3.1.0"
