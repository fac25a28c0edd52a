"""Publishing over the API: batches, raw bodies, repeats, and what is refused as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from segue.broker.headers import Headers
from segue.broker.message import decode
from segue.broker.queue_options import REFUSE, QueueOptions
from tests.unit.broker.actors import FakeSink
from tests.unit.protocols.rest.v1.v1_world import V1World

MESSAGES = "/v1/queues/q/messages"


def record(world: V1World, seq: int) -> bytes:
    found = world.node.queues["q"].log.find(seq)
    assert found is not None
    return found


def test_a_batch_is_published_and_told_by_ids(world: V1World) -> None:
    batch = [{"body": "hä"}, {"body_base64": "/w=="}, {"body_json": {"a": [1]}}, {}]
    published = world.ask("POST", MESSAGES, {"messages": batch})
    assert published.status == 201
    assert published.body == {"messages": [{"id": f"1-{seq}"} for seq in (1, 2, 3, 4)]}
    assert [decode(record(world, seq)).body for seq in (1, 2, 3, 4)] == ["hä".encode(), b"\xff", b'{"a": [1]}', b""]
    assert Headers(record(world, 3)).get("content-type") == "application/json"


def test_a_message_says_what_is_to_be_done_with_it(world: V1World) -> None:
    message = {
        "body": "x",
        "headers": {"kind": "a:b"},
        "content_type": "text/plain",
        "priority": 7,
        "group": "g",
        "ttl_ms": 5000,
        "persistent": False,
    }
    world.ask("POST", MESSAGES, {"messages": [message]})
    stored = decode(record(world, 1))
    assert stored.expires_ms == stored.accepted_ms + 5000
    assert not stored.flags
    said = Headers(record(world, 1))
    expected = {
        "destination": "/queue/q",
        "kind": "a:b",
        "content-type": "text/plain",
        "priority": "7",
        "JMSXGroupID": "g",
        "expiration": "5000",
    }
    assert {name: said.get(name) for name in expected} == expected
    queue = world.node.queues["q"]
    assert queue.dispatcher.expiry is not None
    assert queue.look_ahead().grouped


@pytest.mark.parametrize("when", [{"delay_ms": 60_000}, {"deliver_at_ms": 4_000_000_000_000}])
def test_a_message_for_later_has_the_name_that_it_waits_under(world: V1World, when: dict[str, int]) -> None:
    (published,) = world.ask("POST", MESSAGES, {"messages": [{"body": "x", **when}]}).body["messages"]
    assert set(published) == {"schedule_id"}
    assert world.node.queues["q"].statistics().delayed == 1


def test_the_body_of_a_request_is_a_message_as_it_is(world: V1World) -> None:
    published = world.ask(
        "POST", f"{MESSAGES}/raw?priority=3", b"\xff{}", "Content-Type: image/x", "Segue-Header-Kind: k"
    )
    assert (published.status, published.body) == (201, {"id": "1-1"})
    assert decode(record(world, 1)).body == b"\xff{}"
    said = Headers(record(world, 1))
    assert [said.get(name) for name in ("content-type", "kind", "priority")] == ["image/x", "k", "3"]


def test_a_request_with_the_same_key_adds_nothing(world: V1World) -> None:
    for path, body, key in (
        (MESSAGES, {"messages": [{"body": "a"}, {"body": "b"}]}, "k"),
        (f"{MESSAGES}/raw", b"c", "r"),
    ):
        first, again = (world.ask("POST", path, body, f"Idempotency-Key: {key}").body for _ in range(2))
        ids = [[message["id"] for message in one.get("messages", [one])] for one in (first, again)]
        assert ids[0] == ids[1]
        assert all(message["repeat"] for message in again.get("messages", [again]))
    assert world.node.queues["q"].statistics().published == 3


@pytest.mark.parametrize(
    ("message", "pointer"),
    [
        ({"body": 7}, "/messages/1/body"),
        ({"body": "a", "body_json": 1}, "/messages/1"),
        ({"body_base64": "?"}, "/messages/1/body_base64"),
        ({"priority": 256}, "/messages/1/priority"),
        ({"delay_ms": -1}, "/messages/1/delay_ms"),
        ({"delay_ms": 1, "deliver_at_ms": 1}, "/messages/1"),
        ({"headers": {"a/b": 1}}, "/messages/1/headers/..."),
        ({"headers": {"message-id": "1"}}, "/messages/1/headers/message-id"),
        ({"headers": {"a/b~c": "x", "delay": "1"}}, "/messages/1/headers/delay"),
        ({"headers": {"content-type": "a"}, "content_type": "b"}, "/messages/1/headers/content-type"),
        ({"headers": {"long": "x" * 40_000}}, "/messages/1"),
        ({"bdy": "x"}, "/messages/1"),
    ],
)
def test_a_wrong_message_is_refused_with_its_place_and_nothing_is_published(
    world: V1World, message: dict[str, Any], pointer: str
) -> None:
    refused = world.ask("POST", MESSAGES, {"messages": [{"body": "good"}, message]})
    assert (refused.status, refused.body["type"], refused.body.get("pointer")) == (
        400,
        "/problems/invalid-body",
        pointer,
    )
    assert "q" not in world.node.queues


@pytest.mark.parametrize(
    ("line", "query", "parameter"),
    [
        ("Segue-Header-Ack: x", "", "Segue-Header-ack"),
        ("X: y", "?priority=256", "priority"),
        ("X: y", "?delay_ms=1&deliver_at_ms=1", "delay_ms"),
    ],
)
def test_what_is_wrong_beside_a_raw_body_is_refused(world: V1World, line: str, query: str, parameter: str) -> None:
    refused = world.ask("POST", f"{MESSAGES}/raw{query}", b"x", line)
    assert (refused.status, refused.body["parameter"]) == (400, parameter)


@pytest.mark.parametrize("messages", [[], [{}] * 1001])
def test_a_batch_has_one_message_at_least_and_a_thousand_at_most(world: V1World, messages: list[object]) -> None:
    assert world.ask("POST", MESSAGES, {"messages": messages}).body["pointer"] == "/messages"


def test_a_batch_for_which_there_is_no_room_is_refused_as_a_whole(world: V1World) -> None:
    world.node.declare_queue("q", options=QueueOptions(messages_max=1, overflow=REFUSE))
    refused = world.ask("POST", MESSAGES, {"messages": [{"body": "a"}, {"body": "b"}]})
    assert (refused.status, refused.body["type"], refused.body["retryable"]) == (429, "/problems/limit-reached", True)
    assert "retry-after: 1" in refused.head
    assert world.node.queues["q"].statistics().ready == 0


def test_publishers_who_are_held_are_told_to_come_again(world: V1World) -> None:
    world.node.held = True
    refused = world.ask("POST", MESSAGES, {"messages": [{"body": "a"}]})
    assert (refused.status, refused.body["type"]) == (503, "/problems/publishers-held")
    assert "retry-after: 1" in refused.head
    assert "q" not in world.node.queues


def test_nothing_is_answered_before_it_is_on_disk(world: V1World) -> None:
    world.send("POST", MESSAGES, {"messages": [{"body": "a"}]}, settled=False)
    world.node.end_step()
    assert not world.connection.written
    assert world.answer().status == 201


def test_what_is_published_to_a_topic_is_for_its_subscribers(world: V1World) -> None:
    sink = FakeSink()
    world.session().subscribe_topic("a.*", sink, prefetch=10, settles=False)
    published = world.ask("POST", "/v1/topics/a.b/messages", {"messages": [{"body": "1"}, {"body": "2"}]})
    assert (published.status, published.body) == (201, {"messages": [{}, {}]})
    assert world.ask("POST", "/v1/topics/a.b/messages/raw", b"3").status == 201
    assert sink.bodies() == ["1", "2", "3"]


@pytest.mark.parametrize("topic", ["a..b", ".a", "a.*", "a.b*"])
def test_what_is_no_name_of_a_topic_is_refused(world: V1World, topic: str) -> None:
    assert world.ask("POST", f"/v1/topics/{topic}/messages/raw", b"x").body["parameter"] == "topic"


def test_topics_do_not_pretend_to_know_repeats(world: V1World) -> None:
    by_key = world.ask("POST", "/v1/topics/t/messages/raw", b"x", "Idempotency-Key: 1")
    by_id = world.ask("POST", "/v1/topics/t/messages", {"messages": [{"dedup_id": "1"}]})
    assert {by_key.body["type"], by_id.body["type"]} == {"/problems/not-supported"}
