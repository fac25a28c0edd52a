"""Queues over the API: made, listed, changed under a condition, deleted."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from segue.broker.queue_options import QueueOptions
from segue.broker.settings import Policy
from tests.unit.protocols.rest.v1.v1_world import V1World


def test_a_queue_is_made_with_options_and_looked_at(world: V1World) -> None:
    made = world.ask("PUT", "/v1/queues/q", {"messages_max": 5, "overflow": "refuse"})
    assert (made.status, made.body["declared"]) == (201, {"messages_max": 5, "overflow": "refuse"})
    assert world.node.queues["q"].options == QueueOptions(messages_max=5, overflow="refuse")
    shown = world.ask("GET", "/v1/queues/q")
    assert (shown.status, shown.body) == (200, made.body)
    assert shown.body["statistics"]["ready"] == 0


def test_a_queue_is_made_once(world: V1World) -> None:
    options = {"messages_max": 5}
    statuses = [world.ask("PUT", "/v1/queues/q", body).status for body in (options, options, None, {"messages_max": 6})]
    assert statuses == [201, 200, 200, 409]
    assert world.node.queues["q"].options.messages_max == 5


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"messages_max": "many"}, "/messages_max"),
        ({"messages_max": -1}, "/messages_max"),
        ({"overflow": "wait"}, "/overflow"),
        ({"dead_letter": "a,b"}, "/dead_letter"),
        ({"no_option": 1}, ""),
    ],
)
def test_a_wrong_option_is_refused_with_its_place(world: V1World, body: dict[str, object], pointer: str) -> None:
    refused = world.ask("PUT", "/v1/queues/q", body)
    assert (refused.status, refused.body.get("pointer", "")) == (400, pointer)
    assert "q" not in world.node.queues


def test_names_with_slashes_and_tildes_are_escaped_in_paths(world: V1World) -> None:
    world.ask("PUT", "/v1/queues/a~1b~0c")
    assert list(world.node.queues) == ["a/b~c"]
    assert world.ask("GET", "/v1/queues/a~1b~0c").body["name"] == "a/b~c"


@pytest.mark.parametrize("name", ["*", "a,b", "%20a", "a..b", "x" * 256])
def test_what_no_queue_may_be_called_is_refused(world: V1World, name: str) -> None:
    refused = world.ask("PUT", f"/v1/queues/{name}")
    assert (refused.status, refused.body["parameter"]) == (400, "queue")


def test_queues_are_listed_by_prefix_a_page_at_a_time(world: V1World) -> None:
    for name in ("b", "a/2", "a/1", "a/3"):
        world.node.declare_queue(name)
    pages: list[list[str]] = []
    after: str | None = ""
    while after is not None:
        page = world.ask("GET", f"/v1/queues?limit=2&prefix=a/&after={quote(after)}").body
        pages.append([queue["name"] for queue in page["queues"]])
        after = page["next"]
    assert pages == [["a/1", "a/2"], ["a/3"]]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=many", "prefx=a", "queue=a"])
def test_a_wrong_parameter_is_refused_by_its_name(world: V1World, query: str) -> None:
    refused = world.ask("GET", f"/v1/queues?{query}")
    assert (refused.status, refused.body["type"]) == (400, "/problems/invalid-parameter")
    assert refused.body["parameter"] == query.partition("=")[0]


def test_options_are_merged_and_taken_away_by_null(world: V1World) -> None:
    world.ask("PUT", "/v1/queues/q", {"messages_max": 5, "delivery_limit": 3})
    changed = world.ask("PATCH", "/v1/queues/q", {"messages_max": None, "message_ttl_ms": 7, "paused": True})
    assert (changed.status, changed.body["declared"]) == (200, {"delivery_limit": 3, "message_ttl_ms": 7})
    assert changed.body["paused"]
    assert world.node.queues["q"].options == QueueOptions(delivery_limit=3, message_ttl_ms=7)
    assert not world.ask("PATCH", "/v1/queues/q", {"paused": False}).body["paused"]


def test_a_change_is_there_after_a_restart(world: V1World) -> None:
    world.ask("PUT", "/v1/queues/q", {"messages_max": 5})
    world.ask("PATCH", "/v1/queues/q", {"messages_max": 6})
    world.restart()
    assert world.node.queues["q"].options.messages_max == 6


def test_what_is_not_declared_is_for_policies_to_say() -> None:
    world = V1World(policies={"p": Policy("*", messages_max=9)})
    world.ask("PUT", "/v1/queues/q", {"messages_max": 5})
    shown = world.ask("PATCH", "/v1/queues/q", {"messages_max": None}).body
    assert (shown["declared"], shown["options"]["messages_max"]) == ({}, 9)


def test_a_change_that_was_decided_on_an_older_state_is_refused(world: V1World) -> None:
    seen = etag(world.ask("PUT", "/v1/queues/q").head)
    assert world.ask("PATCH", "/v1/queues/q", {"paused": True}, f"If-Match: {seen}").status == 200
    refused = world.ask("PATCH", "/v1/queues/q", {"paused": False}, f"If-Match: {seen}")
    assert (refused.status, refused.body["type"]) == (412, "/problems/precondition-failed")
    assert world.node.queues["q"].dispatcher.paused
    both = f"If-Match: {seen}, {etag(world.ask('GET', '/v1/queues/q').head)}"
    assert world.ask("PATCH", "/v1/queues/q", {"paused": False}, both).status == 200


def test_messages_do_not_change_what_an_etag_stands_for(world: V1World) -> None:
    before = etag(world.ask("PUT", "/v1/queues/q").head)
    world.publish(world.node.queues["q"], "a")
    assert etag(world.ask("GET", "/v1/queues/q").head) == before


def test_a_queue_is_deleted_under_conditions(world: V1World) -> None:
    world.publish(world.node.declare_queue("q"), "a", "b")
    assert world.ask("DELETE", "/v1/queues/q?if_empty=true").status == 409
    assert world.ask("DELETE", "/v1/queues/q?if_unused=true").body == {"messages": 2}
    assert world.ask("DELETE", "/v1/queues/q").status == 404


def test_a_queue_of_a_connection_is_not_for_others(world: V1World) -> None:
    world.session().exclusive_queue("q")
    for method, body in (("GET", None), ("PATCH", {"paused": True}), ("DELETE", None)):
        assert world.ask(method, "/v1/queues/q", body).status == 409


def etag(head: str) -> str:
    found = re.search(r'^etag: ("\w+")\r?$', head, re.MULTILINE)
    assert found is not None
    return found[1]
