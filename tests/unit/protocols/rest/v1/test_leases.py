"""Taking messages for a while, settling them, and what a client that leaves was given."""

from __future__ import annotations

import pytest

from segue.broker.queue_options import QueueOptions
from tests.unit.protocols.rest.v1.v1_world import V1World

LEASES = "/v1/queues/q/leases"


@pytest.fixture(autouse=True)
def queue(world: V1World) -> None:
    world.node.declare_queue("q")


def publish(world: V1World, *bodies: str) -> None:
    world.ask("POST", "/v1/queues/q/messages", {"messages": [{"body": body} for body in bodies]})


def take(world: V1World, **order: object) -> dict[str, str]:
    """The ids of leases, by the bodies of their messages."""
    taken = world.ask("POST", LEASES, {"messages_max": 10, **order})
    assert taken.status == 200
    return {lease["message"]["body"]: lease["id"] for lease in taken.body["leases"]}


def settle(world: V1World, *settlements: tuple[str, str]) -> list[dict[str, object]]:
    said = [{"action": action, "lease": lease} for action, lease in settlements]
    settled = world.ask("POST", "/v1/settlements", {"settlements": said})
    assert settled.status == 200
    results: list[dict[str, object]] = settled.body["settlements"]
    return results


def test_messages_are_taken_in_order_and_shown_whole(world: V1World) -> None:
    world.ask(
        "POST", "/v1/queues/q/messages", {"messages": [{"body": "a", "headers": {"k": "v"}}, {"body_base64": "/w=="}]}
    )
    first, second = world.ask("POST", LEASES, {"messages_max": 10}).body["leases"]
    assert first["message"]["id"] == "1-1"
    assert (first["message"]["body"], first["message"]["deliveries"]) == ("a", 1)
    assert first["message"]["headers"] == {"destination": "/queue/q", "k": "v"}
    assert second["message"]["body_base64"] == "/w=="


def test_one_message_is_taken_where_nothing_is_said(world: V1World) -> None:
    publish(world, "a", "b")
    assert len(world.ask("POST", LEASES).body["leases"]) == 1


def test_each_settlement_of_a_batch_has_its_own_result(world: V1World) -> None:
    publish(world, "a", "b", "c")
    leases = take(world)
    results = settle(
        world,
        ("ack", leases["a"]),
        ("release", leases["b"]),
        ("extend", leases["c"]),
        ("ack", leases["a"]),
        ("ack", "x"),
    )
    assert [result.get("problem") is None for result in results] == [True, True, True, False, False]
    assert results[2]["lease"] != leases["c"]
    assert take(world).keys() == {"b"}
    assert settle(world, ("ack", str(results[2]["lease"])))[0].get("problem") is None
    assert world.node.queues["q"].statistics().in_flight == 1


def test_a_released_message_may_come_later(world: V1World) -> None:
    publish(world, "a")
    (lease,) = take(world).values()
    said = {"settlements": [{"action": "release", "lease": lease, "delay_ms": 60_000}]}
    assert "problem" not in world.ask("POST", "/v1/settlements", said).body["settlements"][0]
    assert take(world) == {}
    assert world.node.queues["q"].statistics().delayed == 1


def test_a_lease_that_is_over_settles_nothing(world: V1World) -> None:
    publish(world, "a")
    (lease,) = take(world, lease_seconds=10).values()
    world.clock.advance(11)
    world.node.leases.look_at_deadlines()
    world.settle_down()
    (result,) = settle(world, ("ack", lease))
    problem = result["problem"]
    assert isinstance(problem, dict)
    assert problem["type"] == "/problems/not-held"
    assert take(world).keys() == {"a"}


def test_who_waits_is_answered_by_the_next_message(world: V1World) -> None:
    world.send("POST", LEASES, {"wait_seconds": 30})
    assert not world.connection.written
    world.publish(world.node.queues["q"], "a")
    assert world.answer().body["leases"][0]["message"]["body"] == "a"


def test_who_waits_in_vain_is_answered_with_nothing(world: V1World) -> None:
    world.send("POST", LEASES, {"wait_seconds": 30})
    world.clock.advance(31)
    world.node.leases.look_at_deadlines()
    assert world.answer().body == {"leases": []}


def test_who_has_left_gets_nothing_that_others_could_have(world: V1World) -> None:
    world.send("POST", LEASES, {"wait_seconds": 30})
    world.connection.abandon("gone")
    world.connection = world.connect()
    world.conversation = world.connection.conversation
    world.publish(world.node.queues["q"], "a")
    assert take(world).keys() == {"a"}


def test_what_the_kernel_did_not_take_before_the_client_left_is_back_at_once(world: V1World) -> None:
    world.connection.room = 10
    publish_other(world, "a")
    world.send("POST", LEASES)
    world.connection.abandon("gone")
    world.settle_down()
    assert world.node.queues["q"].statistics().in_flight == 0
    assert world.node.queues["q"].statistics().ready == 1


def test_a_peer_that_closes_its_side_waits_no_longer(world: V1World) -> None:
    world.send("POST", LEASES, {"wait_seconds": 30})
    world.conversation.end_of_input()
    assert world.answer().body == {"leases": []}


@pytest.mark.parametrize(
    ("order", "pointer"),
    [
        ({"messages_max": 0}, "/messages_max"),
        ({"lease_seconds": 0.5}, "/lease_seconds"),
        ({"lease_seconds": 86_401}, "/lease_seconds"),
        ({"wait_seconds": 31}, "/wait_seconds"),
        ({"wait": 1}, ""),
    ],
)
def test_what_can_not_be_asked_for_is_refused(world: V1World, order: dict[str, object], pointer: str) -> None:
    refused = world.ask("POST", LEASES, order)
    assert (refused.status, refused.body.get("pointer", "")) == (400, pointer)


def test_an_unknown_action_is_refused(world: V1World) -> None:
    refused = world.ask("POST", "/v1/settlements", {"settlements": [{"action": "nack", "lease": "x"}]})
    assert (refused.status, refused.body["pointer"]) == (400, "/settlements/0/action")


def test_polling_is_a_use_of_an_idle_queue(world: V1World) -> None:
    queue = world.node.declare_queue("idle", options=QueueOptions(expires_ms=10_000))
    world.clock.advance(8)
    world.ask("POST", "/v1/queues/idle/leases")
    world.clock.advance(8)
    world.node.delete_idle_queues()
    assert queue.open


def publish_other(world: V1World, body: str) -> None:
    world.publish(world.node.queues["q"], body)
