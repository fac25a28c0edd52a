"""Dead letters: what is condemned and when, where it goes, what it says then, and that it is in one place."""

from __future__ import annotations

import json

import pytest

from segue.broker.dead_letters import Reason, condemned, dead_letter, sentence_of
from segue.broker.headers import header
from segue.broker.message import decode
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from tests.unit.broker.actors import World, record

_HEADERS = b"destination:/queue/q\ncontent-length:1\n\n"


def queue_with(world: World, **options: object) -> Queue:
    return world.node.declare_queue("q", options=QueueOptions(**options))  # type: ignore[arg-type]


def publish(world: World, queue: Queue, *bodies: str) -> None:
    for body in bodies:
        queue.publish(record(body, _HEADERS))
    world.node.store.want()
    world.settle_down()


def dead(world: World, name: str = "dead") -> list[str]:
    """What is in the dead-letter queue, and stays there."""
    sink, subscription = world.consume(world.node.queue(name))
    subscription.consumer.dispatcher.remove(subscription.consumer)
    return sink.bodies()


# When ---------------------------------------------------------------------------------------------------------------


def test_a_refused_message_goes_to_the_dead_letter_queue_and_is_not_delivered_again(world: World) -> None:
    queue = queue_with(world, dead_letter="dead")
    publish(world, queue, "a", "b", "c")
    sink, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, [2])
    world.settle_down()
    assert sink.bodies() == ["a", "b", "c"]
    assert dead(world) == ["b"]
    found = queue.statistics()
    assert (found.dead_lettered, found.discarded, found.settled, found.in_flight) == (1, 0, 1, 2)


def test_without_a_dead_letter_queue_a_refused_message_is_given_up(world: World) -> None:
    queue = queue_with(world)
    publish(world, queue, "a", "b")
    _, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, [1])
    world.settle_down()
    found = queue.statistics()
    assert (found.dead_lettered, found.discarded, found.settled, found.in_flight) == (0, 1, 1, 1)
    assert list(world.node.queues) == ["q"]


def test_a_message_that_comes_back_at_the_limit_is_a_dead_letter_and_not_before(world: World) -> None:
    queue = queue_with(world, dead_letter="dead", delivery_limit=3)
    publish(world, queue, "a", "b")
    sink, subscription = world.consume(queue, prefetch=1)
    for deliveries in (1, 2, 3):
        assert [(one.body, one.deliveries) for one in sink.take()] == [("a", deliveries)]
        assert queue.statistics().dead_lettered == 0
        world.give_back(subscription.consumer, 1)
    assert sink.bodies() == ["b"]
    assert dead(world) == ["a"]


def test_what_a_consumer_held_when_it_left_counts_too(world: World) -> None:
    queue = queue_with(world, dead_letter="dead", delivery_limit=1)
    publish(world, queue, "a")
    _, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].close()
    world.settle_down()
    assert dead(world) == ["a"]


def test_at_the_limit_without_a_dead_letter_queue_a_message_is_given_up(world: World) -> None:
    queue = queue_with(world, delivery_limit=1)
    publish(world, queue, "a")
    _, subscription = world.consume(queue)
    world.give_back(subscription.consumer, 1)
    found = queue.statistics()
    assert (found.ready, found.in_flight, found.settled, found.discarded) == (0, 0, 1, 1)


def test_no_consumer_has_to_be_there_and_a_paused_queue_buries_too(world: World) -> None:
    queue = queue_with(world, dead_letter="dead")
    publish(world, queue, *"abc")
    _, subscription = world.consume(queue)
    queue.dispatcher.paused = True
    session = world.node.sessions[subscription.consumer.session_id]
    session.refuse(subscription.consumer, [1, 3])
    session.close()
    world.settle_down()
    assert dead(world) == ["a", "c"]
    assert queue.statistics().returned == 1


def test_thousands_of_dead_letters_are_moved_in_several_steps_and_in_order(world: World) -> None:
    queue = queue_with(world, dead_letter="dead")
    bodies = [str(number) for number in range(2000)]
    publish(world, queue, *bodies)
    _, subscription = world.consume(queue, prefetch=2000)
    world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, list(range(1, 2001)))
    for _ in range(10):
        world.settle_down()
    assert queue.statistics().dead_lettered == 2000
    sink, _ = world.consume(world.node.queue("dead"), prefetch=2000)
    assert sink.bodies() == bodies


def test_a_transaction_refuses_when_it_commits_and_not_when_it_aborts(world: World) -> None:
    queue = queue_with(world, dead_letter="dead")
    publish(world, queue, "a", "b")
    _, subscription = world.consume(queue)
    session = world.node.sessions[subscription.consumer.session_id]
    for end in (session.abort, session.commit):
        session.begin("t")
        session.transaction("t").refuse(subscription.consumer, [1])
        world.settle_down()
        assert queue.statistics().dead_lettered == 0
        end("t")
        world.settle_down()
    assert queue.statistics().dead_lettered == 1
    assert list(subscription.consumer.unacknowledged) == [2]


def test_while_the_dead_letter_queue_can_not_be_made_dead_letters_stay_where_they_are_and_that_is_told_once() -> None:
    world = World(queues_max=1)
    queue = queue_with(world, dead_letter="dead")
    publish(world, queue, "a", "b")
    sink, subscription = world.consume(queue)
    session = world.node.sessions[subscription.consumer.session_id]
    session.refuse(subscription.consumer, [1])
    world.settle_down()
    session.refuse(subscription.consumer, [2])
    world.settle_down()
    assert queue.statistics().dead_lettered == 0
    assert len(world.log.named("queue.dead_letters_stuck")) == 1
    assert sink.bodies() == ["a", "b"]
    assert queue.cursor.holes() == {1: condemned(1, Reason.REJECTED), 2: condemned(1, Reason.REJECTED)}


# After a restart ----------------------------------------------------------------------------------------------------


def test_a_standing_survives_in_the_count_of_deliveries() -> None:
    for reason in Reason:
        assert sentence_of(condemned(7, reason)) == (7, reason)
    assert sentence_of(condemned(7, Reason.REJECTED) + (200 << 32)) == (7, Reason.REJECTED)


# What it says -------------------------------------------------------------------------------------------------------


def test_a_dead_letter_tells_where_from_why_when_and_how_often() -> None:
    message = decode(
        dead_letter(record("x", _HEADERS), queue="q:1", reason=Reason.DELIVERY_LIMIT, deliveries=5, now_ms=12_345_678)
    )
    said = {name: header(message, name) for name in ("dead-letter-from", "dead-letter-reason", "dead-letter-time")}
    assert said == {
        "dead-letter-from": "q:1",
        "dead-letter-reason": "delivery_limit",
        "dead-letter-time": "12345678",
    }
    assert header(message, "dead-letter-deliveries") == "5"
    assert header(message, "destination") == "/queue/q"
    assert (message.body, message.accepted_ms) == (b"x", 12_345_678)
    assert json.loads(header(message, "x-death") or "") == [
        {
            "count": 1,
            "reason": "delivery_limit",
            "queue": "q:1",
            "time": 12_345,
            "exchange": "",
            "routing-keys": ["q:1"],
        }
    ]
    assert header(message, "x-first-death-queue") == "q:1"
    assert header(message, "x-first-death-reason") == "delivery_limit"


def test_one_that_dies_again_keeps_its_history_the_latest_first_and_counts_the_same_death() -> None:
    once = dead_letter(record("x", _HEADERS), queue="a", reason=Reason.REJECTED, deliveries=1, now_ms=1)
    twice = dead_letter(once, queue="b", reason=Reason.REJECTED, deliveries=1, now_ms=2)
    message = decode(dead_letter(twice, queue="a", reason=Reason.REJECTED, deliveries=1, now_ms=3_000))
    deaths = json.loads(header(message, "x-death") or "")
    assert [(one["queue"], one["count"]) for one in deaths] == [("a", 2), ("b", 1)]
    assert deaths[0]["time"] == 3
    assert header(message, "x-first-death-queue") == "a"
    assert header(message, "dead-letter-from") == "a"


@pytest.mark.parametrize(
    "forged", ["[", "7", '{"a":1}', '[1,{"count":"x","queue":"q","reason":"rejected"}]', "[" * 9999]
)
def test_a_history_that_a_peer_made_up_does_no_harm(forged: str) -> None:
    text = forged.replace(":", "\\c").encode()
    message = decode(
        dead_letter(
            record("x", b"x-death:" + text + b"\ncontent-length:1\n\n"),
            queue="q",
            reason=Reason.REJECTED,
            deliveries=1,
            now_ms=1,
        )
    )
    assert json.loads(header(message, "x-death") or "")[0]["count"] == 1


# The options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [QueueOptions(), QueueOptions("dead"), QueueOptions("dead", 5), QueueOptions("", 5)]
)
def test_options_survive_in_the_definition(options: QueueOptions) -> None:
    assert QueueOptions.from_definition({"options": options.as_definition()}) == options


def test_options_of_a_newer_segue_are_passed_over() -> None:
    assert QueueOptions.from_definition({"options": {"colour": "red", "delivery_limit": 2}}) == QueueOptions("", 2)
