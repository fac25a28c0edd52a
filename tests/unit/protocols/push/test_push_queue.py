"""Messages of a push queue: pushed, settled, and kept with what has become of them until then."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import trio

from segue.broker.errors import NotHeldError
from segue.broker.settings import Policy
from segue.protocols.push.options import PushOptions, PushType
from tests.unit.protocols.push.push_world import TRIED, Endpoint, PushWorld, push_world


@pytest.fixture
async def world() -> AsyncIterator[PushWorld]:
    async with push_world() as found:
        yield found


def acknowledge(world: PushWorld, message_id: str, reservation_id: str, subscriber: str) -> list[str]:
    """What the client is told so far."""
    told: list[str] = []
    world.push_queue.acknowledge(message_id, reservation_id, subscriber, lambda: told.append("acknowledged"))
    world.settle_down()
    return told


# -- what arrives


async def test_a_message_is_pushed_to_each_subscriber_and_settled(world: PushWorld) -> None:
    world.open("a", "b")
    world.post_messages("1", "2")
    pushes = await world.run()
    assert sorted((push.host, push.id, push.body) for push in pushes) == [
        ("a", "1", "body 1"),
        ("a", "2", "body 2"),
        ("b", "1", "body 1"),
        ("b", "2", "body 2"),
    ]
    assert world.counts() == (0, 0, 0)
    assert TRIED not in world.node.queues
    assert world.statuses("1") == {"a": "deleted", "b": "deleted"}
    assert (world.push_counts.delivered, world.push_counts.pushes) == (2, 4)


async def test_a_push_has_the_headers_of_ironmq(world: PushWorld) -> None:
    world.open("a")
    world.post_messages("1")
    [push] = await world.run()
    assert len(push.reservation_id) == 24
    assert push.headers == {
        "User-Agent": "IronMQ Pusherd",
        "Content-Type": "text/plain; encoding=utf-8",
        "Iron-Message-Id": "1",
        "Iron-Reservation-Id": push.reservation_id,
        "Iron-Subscriber-Name": "a",
        "Iron-Subscriber-Message-Url": "http://broker.example/q/1",
    }


async def test_unicast_pushes_each_message_to_one_and_not_all_to_the_same(world: PushWorld) -> None:
    world.open("a", "b", kind=PushType.UNICAST)
    world.post_messages(*map(str, range(40)))
    pushes = await world.run()
    assert sorted(push.id for push in pushes) == sorted(map(str, range(40)))
    assert {push.host for push in pushes} == {"a", "b"}


async def test_a_queue_without_subscribers_keeps_its_messages(world: PushWorld) -> None:
    world.open()
    world.post_messages("1")
    assert await world.run() == []
    assert world.counts() == (1, 0, 0)
    world.configure("a")
    assert [push.id for push in await world.run()] == ["1"]


async def test_so_many_pushes_are_under_way_and_no_more(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(gate=trio.Event())
    world.open("a", in_flight_max=2)
    world.post_messages("1", "2", "3")
    assert len(await world.run()) == 2
    gate = world.endpoints["a"].gate
    assert gate is not None
    gate.set()
    assert len(await world.run()) == 1
    assert world.counts() == (0, 0, 0)


# -- retries


async def test_a_message_that_failed_waits_in_the_schedule_and_is_pushed_again_as_the_same(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(500)
    world.open("a", "b", retries_delay_seconds=60)
    world.post_messages("1")
    assert {push.host for push in await world.run()} == {"a", "b"}
    assert world.counts() == (0, 0, 0)
    assert world.counts(TRIED) == (0, 0, 1)
    assert world.statuses("1") == {"a": "retrying", "b": "deleted"}
    assert await world.later(59) == []
    world.endpoints["a"].status = 200
    [push] = await world.later(1)
    assert (push.host, push.id, push.body) == ("a", "1", "body 1")
    assert world.counts(TRIED) == (0, 0, 0)
    assert world.statuses("1") == {"a": "deleted", "b": "deleted"}


async def test_tries_are_counted_over_a_restart(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(500)
    world.open("a", "b", retries=2, retries_delay_seconds=60, error_queue="errors")
    world.post_messages("1")
    for _ in range(2):
        await world.run()
        await world.crash()
        assert await world.run() == []
        assert [push.host for push in await world.later(60)] == ["a"]
    assert world.counts("errors") == (1, 0, 0)
    assert world.counts(TRIED) == (0, 0, 0)
    await world.crash()
    assert await world.later(3600) == []


async def test_what_was_under_way_in_a_crash_is_pushed_again_as_the_same(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(gate=trio.Event())
    world.open("a", "b")
    world.post_messages("1")
    assert {push.host for push in await world.run()} == {"a", "b"}
    await world.crash()
    world.endpoints["a"] = Endpoint()
    assert sorted((push.host, push.id) for push in await world.run()) == [("a", "1"), ("b", "1")]
    assert world.counts() == (0, 0, 0)


async def test_a_retry_does_not_wait_behind_messages_that_were_never_pushed(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(500)
    world.open("a", retries_delay_seconds=60)
    world.post_messages("1")
    await world.run()
    world.endpoints["a"] = Endpoint(gate=trio.Event())
    world.post_messages(*(f"new {number}" for number in range(100)))
    await world.run()
    assert world.counts()[0] > 0
    gate = world.endpoints["a"].gate
    assert gate is not None
    world.wait(60)
    gate.set()
    pushes = [push.id for push in await world.run()]
    assert pushes.index("1") < 64


async def test_options_that_are_changed_hold_for_the_next_push(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(500)
    world.open("a", retries_delay_seconds=60)
    world.post_messages("1")
    await world.run()
    world.configure("b")
    assert [push.host for push in await world.later(60)] == ["b"]
    assert world.counts(TRIED) == (0, 0, 0)


# -- failures


async def test_the_error_queue_is_told_of_what_could_not_be_delivered(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(500)
    world.open("a", "b", retries=0, error_queue="errors")
    world.post_messages("1")
    await world.run()
    assert [json.loads(body) for body in world.bodies("errors")] == [
        {
            "source_msg_id": "1",
            "body": "body 1",
            "headers": {},
            "subscribers": [{"name": "a", "url": "http://a/", "code": 500, "msg": "Internal Server Error"}],
        }
    ]
    assert world.counts() == (0, 0, 0)
    assert world.statuses("1") == {"a": "error", "b": "deleted"}
    assert world.push_counts.failed == 1


async def test_without_an_error_queue_it_is_given_up(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(500)
    world.open("a", retries=0)
    world.post_messages("1")
    await world.run()
    assert world.counts() == (0, 0, 0)
    assert list(world.node.queues) == ["q"]


async def test_while_the_error_queue_is_full_a_message_stays(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(500)
    world.full_queue("errors")
    world.open("a", retries=0, error_queue="errors")
    world.post_messages("1")
    await world.run()
    assert world.counts() == (0, 1, 0)
    assert [one.fields["queue"] for one in world.log.named("push.stuck")] == ["errors"]
    world.node.queues["errors"].purge()
    assert await world.later(1) == []
    assert world.counts() == (0, 0, 0)
    assert world.counts("errors") == (1, 0, 0)


async def test_while_there_may_be_no_more_queues_a_message_that_was_tried_stays() -> None:
    async with push_world(queues_max=1) as world:
        world.endpoints["a"] = Endpoint(500)
        world.open("a", retries_delay_seconds=60)
        world.post_messages("1")
        await world.run()
        assert world.counts() == (0, 1, 0)
        assert [one.fields["queue"] for one in world.log.named("push.stuck")] == [TRIED]
        world.endpoints["a"].status = 200
        assert [push.id for push in await world.later(60)] == ["1"]
        assert world.counts() == (0, 0, 0)


# -- 202


async def reserved(world: PushWorld, *names: str) -> dict[str, str]:
    """A message that subscribers have answered with 202; returns their reservations."""
    world.open(*names, retries_delay_seconds=60)
    for name in names:
        world.endpoints.setdefault(name, Endpoint(202))
    world.post_messages("1")
    pushes = await world.run()
    return {push.host: push.reservation_id for push in pushes}


async def test_a_reserved_message_is_held_until_it_is_acknowledged(world: PushWorld) -> None:
    reservations = await reserved(world, "a", "b")
    assert world.counts() == (0, 0, 0)
    assert world.counts(TRIED) == (0, 1, 0)
    assert world.statuses("1") == {"a": "reserved", "b": "reserved"}
    assert acknowledge(world, "1", reservations["a"], "a") == ["acknowledged"]
    await world.run()
    assert world.statuses("1") == {"a": "deleted", "b": "reserved"}
    assert acknowledge(world, "1", reservations["b"], "b") == ["acknowledged"]
    assert world.counts(TRIED) == (0, 0, 0)
    assert await world.later(3600) == []


async def test_what_was_acknowledged_is_not_pushed_after_a_crash_and_what_is_reserved_when_its_time_is_over(
    world: PushWorld,
) -> None:
    world.endpoints["c"] = Endpoint(200)
    reservations = await reserved(world, "a", "b", "c")
    acknowledge(world, "1", reservations["a"], "a")
    await world.crash()
    assert await world.run() == []
    assert world.statuses("1") == {"a": "deleted", "b": "reserved", "c": "deleted"}
    assert await world.later(59) == []
    assert [(push.host, push.id) for push in await world.later(1)] == [("b", "1")]


async def test_a_reservation_holds_over_a_crash(world: PushWorld) -> None:
    reservations = await reserved(world, "a")
    await world.crash()
    await world.run()
    assert acknowledge(world, "1", reservations["a"], "a") == ["acknowledged"]
    assert world.counts(TRIED) == (0, 0, 0)
    await world.crash()
    assert await world.later(3600) == []


async def test_a_message_that_is_not_acknowledged_in_time_is_pushed_again_under_another_reservation(
    world: PushWorld,
) -> None:
    first = await reserved(world, "a")
    [push] = await world.later(60)
    assert (push.host, push.id) == ("a", "1")
    assert push.reservation_id != first["a"]
    with pytest.raises(NotHeldError):
        acknowledge(world, "1", first["a"], "a")
    assert acknowledge(world, "1", push.reservation_id, "a") == ["acknowledged"]


@pytest.mark.parametrize(
    ("message_id", "reservation_id", "name"), [("2", "", "a"), ("1", "x", "a"), ("1", "", "a"), ("1", "", "b")]
)
async def test_who_does_not_hold_a_message_does_not_acknowledge_it(
    world: PushWorld, message_id: str, reservation_id: str, name: str
) -> None:
    reservations = await reserved(world, "a")
    with pytest.raises(NotHeldError):
        acknowledge(world, message_id, reservation_id or reservations["a"] * (name == "b"), name)
    assert world.counts(TRIED) == (0, 1, 0)


async def test_a_subscriber_may_acknowledge_before_it_answers(world: PushWorld) -> None:
    gate = trio.Event()
    world.endpoints["a"] = Endpoint(200, gate)
    world.open("a")
    world.post_messages("1")
    [push] = await world.run()
    assert acknowledge(world, "1", push.reservation_id, "a") == ["acknowledged"]
    assert world.counts() == (0, 0, 0)
    gate.set()
    assert await world.run() == []


async def test_an_acknowledgement_is_durable_while_the_message_is_pushed_to_others(world: PushWorld) -> None:
    world.endpoints["b"] = Endpoint(200, trio.Event())
    world.open("a", "b")
    world.endpoints["a"] = Endpoint(202)
    world.post_messages("1")
    reservations = {push.host: push.reservation_id for push in await world.run()}
    assert acknowledge(world, "1", reservations["a"], "a") == ["acknowledged"]
    await world.crash()
    world.endpoints["b"] = Endpoint()
    assert [push.host for push in await world.run()] == ["b"]
    assert world.counts(TRIED) == (0, 0, 0)


async def test_an_acknowledgement_of_a_message_on_its_way_is_told_when_it_has_arrived(world: PushWorld) -> None:
    world.endpoints["b"] = Endpoint(202)
    world.endpoints["a"] = Endpoint(202)
    world.open("a", "b")
    world.post_messages("1")
    world.settle_down()
    await trio.testing.wait_all_tasks_blocked()
    reservations = {push.host: push.reservation_id for push in world.pushes}
    told: list[str] = []
    world.push_queue.acknowledge("1", reservations["a"], "a", lambda: told.append("a"))
    world.push_queue.acknowledge("1", reservations["b"], "b", lambda: told.append("b"))
    assert told == []
    await world.run()
    assert told == ["a", "b"]
    assert world.counts(TRIED) == (0, 0, 0)


async def test_nothing_new_is_pushed_while_too_much_is_reserved(
    world: PushWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segue.protocols.push.push_queue._TRIED_MAX", 2)
    world.endpoints["a"] = Endpoint(202)
    world.open("a", in_flight_max=1, retries_delay_seconds=60)
    world.post_messages(*map(str, range(100)))
    pushes = await world.run()
    ready, _, _ = world.counts()
    assert ready > 0
    for push in pushes:
        acknowledge(world, push.id, push.reservation_id, "a")
    assert await world.run() != []


# -- endpoints that are left alone


async def test_an_endpoint_that_is_left_alone_stops_its_queue_and_costs_no_tries_and_no_writes(
    world: PushWorld,
) -> None:
    world.endpoints["a"] = Endpoint(0)
    world.open("a", retries=5, retries_delay_seconds=600, in_flight_max=1)
    world.post_messages(*map(str, range(200)))
    assert len(await world.run()) == 5
    ready, in_flight, _ = world.counts()
    assert ready + in_flight == 195
    assert len(world.log.named("push.circuit_opened")) == 1
    head = world.node.queue(TRIED).log.head
    assert len(await world.later(1)) == 1
    assert world.node.queue(TRIED).log.head == head
    world.endpoints["a"].status = 200
    assert len(await world.later(2)) == 194
    assert world.counts() == (0, 0, 0)
    assert len(world.log.named("push.circuit_closed")) == 1


async def test_who_answers_is_not_held_up_by_who_is_left_alone(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(0)
    world.open("a", "b", retries_delay_seconds=600)
    world.post_messages(*map(str, range(200)))
    pushes = await world.run()
    assert sum(push.host == "b" for push in pushes) == 200
    assert world.counts() == (0, 0, 0)


# -- ends


async def test_a_queue_that_is_closed_has_its_messages_back(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(gate=trio.Event())
    world.open("a")
    world.post_messages("1")
    await world.run()
    world.push_queue.close()
    world.settle_down()
    assert world.counts() == (1, 0, 0)


async def test_a_push_that_ends_after_its_queue_was_deleted_changes_nothing(world: PushWorld) -> None:
    gate = trio.Event()
    world.endpoints["a"] = Endpoint(500, gate)
    world.open("a")
    world.post_messages("1")
    await world.run()
    world.node.delete_queue("q")
    gate.set()
    assert await world.run() == []
    assert TRIED not in world.node.queues


async def test_what_is_lost_on_its_way_to_the_queue_of_the_tried_is_forgotten(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(202)
    world.open("a", retries_delay_seconds=600)
    tried = world.node.queue(TRIED)
    tried.pause()
    world.post_messages("1")
    await world.run()
    tried.purge()
    tried.resume()
    assert world.statuses("1") == {"a": "reserved"}
    await world.later(60)
    assert world.push_queue._held == {}
    assert await world.later(600) == []


async def test_the_queue_of_the_tried_is_made_anew_when_somebody_has_deleted_it(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(202)
    world.open("a", retries_delay_seconds=60)
    world.post_messages("1")
    await world.run()
    world.node.delete_queue(TRIED)
    world.post_messages("2")
    await world.run()
    assert world.counts(TRIED) == (0, 1, 0)
    assert [push.id for push in await world.later(60)] == ["2"]


async def test_what_is_cleared_is_not_pushed_again(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(202)
    world.endpoints["b"] = Endpoint(200, trio.Event())
    world.open("a", "b", retries_delay_seconds=60)
    world.post_messages("1", "2")
    await world.run()
    world.push_queue.clear()
    world.settle_down()
    assert world.counts() == (0, 0, 0)
    gate = world.endpoints["b"].gate
    assert gate is not None
    gate.set()
    assert await world.run() == []
    assert await world.later(60) == []
    assert TRIED not in world.node.queues


async def test_two_messages_of_the_same_id_are_both_pushed(world: PushWorld) -> None:
    world.endpoints["a"] = Endpoint(200, trio.Event())
    world.open("a")
    world.post_messages("1", "1")
    assert sorted(push.id for push in await world.run()) == ["1", "1-2"]
    gate = world.endpoints["a"].gate
    assert gate is not None
    gate.set()
    await world.run()
    assert world.counts() == (0, 0, 0)


async def test_a_policy_for_deliveries_does_not_end_retries() -> None:
    async with push_world(policies={"p": Policy(queues="*", delivery_limit=3)}) as world:
        world.endpoints["a"] = Endpoint(500)
        world.open("a", retries_delay_seconds=60, retries=9)
        world.post_messages("1")
        await world.run()
        for _ in range(5):
            assert len(await world.later(60)) == 1
        world.endpoints["a"].gate = trio.Event()
        assert len(await world.later(60)) == 1
        world.push_queue.close()
        world.settle_down()
        assert world.counts(TRIED) == (1, 0, 0)


async def test_a_message_that_only_looks_tried_is_pushed_as_a_new_one(world: PushWorld) -> None:
    world.node.queue(TRIED)
    world.open("a")
    world.publish(world.node.queue(TRIED), "not ours")
    assert [push.body for push in await world.run()] == ["not ours"]
    assert world.counts(TRIED) == (0, 0, 0)


def test_what_is_asked_of_options_has_a_default() -> None:
    options = PushOptions(PushType.UNICAST, ())
    assert (options.retries, options.retries_delay_seconds, options.error_queue) == (3, 60, "")
