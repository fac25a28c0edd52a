"""Dead letters: what is condemned and when, where it goes, what it says then, and that it is in one place."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import trio

from segue.broker.browse import Browser
from segue.broker.dead_letters import Reason, condemned, dead_letter, sentence_of
from segue.broker.errors import InUseError
from segue.broker.message import decode, encode, prefix
from segue.broker.queue import Queue
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.storage.entries import Return
from segue.storage.replay import apply
from tests.unit.broker.actors import World, header, record

_HEADERS = b"destination:/queue/q\ncontent-length:1\n\n"


def queue_with(world: World, **options: object) -> Queue:
    return world.node.declare_queue("q", options=QueueOptions(**options))  # type: ignore[arg-type]


def publish(world: World, queue: Queue, *bodies: str) -> None:
    for body in bodies:
        queue.publish(record(body, _HEADERS))
    world.node.store.want()
    world.settle_down()


def refuse(world: World, queue: Queue, *seqs: int) -> None:
    """A consumer that refuses messages, and leaves."""
    _, subscription = world.consume(queue, prefetch=len(seqs))
    session = world.node.sessions[subscription.consumer.session_id]
    session.refuse(subscription.consumer, list(seqs))
    session.close()
    world.settle_down()


@pytest.fixture
def world_of_one() -> World:
    """There may be one queue: none for dead letters."""
    return World(queues_max=1)


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


def test_stuck_dead_letters_go_when_there_is_room_though_nothing_else_happens(world_of_one: World) -> None:
    world = world_of_one
    queue = queue_with(world, dead_letter="dead")
    publish(world, queue, "a")
    refuse(world, queue, 1)
    world.node.sweep()
    world.settle_down()
    assert len(queue.cursor.condemned) == 1
    world.node.settings = replace(world.settings, limits=replace(world.settings.limits, queues_max=2))
    world.node.sweep()
    world.settle_down()
    assert dead(world) == ["a"]


def test_stuck_dead_letters_count_for_what_may_be_out() -> None:
    world = World(queues_max=1, queue_in_flight_max=3)
    queue = queue_with(world, dead_letter="dead", message_ttl_ms=1000)
    for body in b"abcdefgh":
        queue.publish(encode(*prefix(world.clock.now_ms(), _HEADERS), bytes([body])))
    world.node.store.want()
    refuse(world, queue, 1, 2)
    sink, _ = world.consume(queue)
    assert sink.bodies() == ["c"]
    for _ in range(3):
        world.clock.advance(61)
        world.node.sweep()
        world.settle_down()
    assert len(queue.cursor.holes()) == 3


def test_what_is_condemned_is_neither_purged_nor_browsed_and_a_queue_with_it_is_not_empty(world_of_one: World) -> None:
    world = world_of_one
    queue = queue_with(world, dead_letter="dead")
    publish(world, queue, "a", "b")
    refuse(world, queue, 1)
    browser = Browser(queue)
    seen = trio.run(browser.chunk, 1000)
    assert [seq for seq, _ in seen] == [2]
    assert trio.run(browser.chunk, 1000) == []
    assert queue.purge() == 1
    assert queue.cursor.condemned == [1]
    with pytest.raises(InUseError, match="has 1 messages"):
        world.node.delete_queue("q", if_empty=True)


@pytest.mark.parametrize("exclusive", [True, False])
def test_what_is_refused_before_the_queue_goes_with_its_consumer_is_moved(world: World, exclusive: bool) -> None:
    session = world.session()
    options = QueueOptions(dead_letter="dead")
    if exclusive:
        queue = session.exclusive_queue("q", options=options)
    else:
        queue = world.node.declare_queue("q", auto_delete=True, options=options)
    publish(world, queue, "a", "b")
    _, subscription = world.consume(queue, session=session)
    session.refuse(subscription.consumer, [1])
    session.close()
    world.settle_down()
    assert "q" not in world.node.queues
    assert dead(world) == ["a"]


def test_large_dead_letters_are_moved_a_few_at_a_time(world: World) -> None:
    queue = queue_with(world, dead_letter="dead")
    publish(world, queue, *["x" * 500_000] * 20)
    _, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, list(range(1, 21)))
    queue.dispatcher.dispatch()
    assert 0 < queue.statistics().dead_lettered <= 3
    assert world.node._more.is_set()
    for _ in range(10):
        world.settle_down()
    assert queue.statistics().dead_lettered == 20


def test_what_is_given_up_is_not_read_from_disk_first(world: World) -> None:
    queue = queue_with(world, delivery_limit=1)
    publish(world, queue, "a")
    _, subscription = world.consume(queue)
    world.store.spill(queue.log)
    session = world.node.sessions[subscription.consumer.session_id]
    session.give_back(subscription.consumer, [1])
    world.node.end_step()
    assert world.store.played_reader.jobs == []
    assert (queue.statistics().discarded, queue.cursor.holes()) == (1, {})


def test_two_bounded_queues_that_are_each_others_dead_letter_queue_give_up_what_goes_round(world: World) -> None:
    there = world.node.declare_queue("there", options=QueueOptions(dead_letter="back", messages_max=1))
    back = world.node.declare_queue("back", options=QueueOptions(dead_letter="there", messages_max=1))
    publish(world, there, *"abcdef")
    for _ in range(20):
        world.settle_down()
    assert there.statistics().ready == back.statistics().ready == 1
    assert there.statistics().discarded + back.statistics().discarded == 4


def test_two_full_queues_that_are_each_others_dead_letter_queue_do_not_wait_for_each_other(world: World) -> None:
    there = world.node.declare_queue("there", options=QueueOptions("back", 0, 100, 2, overflow=REFUSE))
    back = world.node.declare_queue("back", options=QueueOptions("there", 0, 100, 2, overflow=REFUSE))
    for queue in (there, back):
        for body in (b"a", b"b"):
            queue.publish(encode(*prefix(world.clock.now_ms(), _HEADERS), body))
    world.node.store.want()
    world.settle_down()
    for _ in range(5):
        world.clock.advance(61)
        world.node.sweep()
        world.settle_down()
    assert (there.cursor.holes(), back.cursor.holes()) == ({}, {})
    assert there.statistics().discarded + back.statistics().discarded == 4


def test_a_full_dead_letter_queue_is_told_once(world: World) -> None:
    queue = queue_with(world, dead_letter="dead")
    world.node.declare_queue("dead", options=QueueOptions(messages_max=0, overflow=REFUSE))
    publish(world, queue, "a", "b")
    refuse(world, queue, 1, 2)
    world.node.sweep()
    world.settle_down()
    assert len(world.log.named("queue.dead_letters_stuck")) == 1
    assert queue.cursor.condemned == [1, 2]


# After a restart ----------------------------------------------------------------------------------------------------


def test_a_standing_survives_in_the_count_of_deliveries() -> None:
    for reason in Reason:
        assert sentence_of(condemned(7, reason)) == (7, reason)
    assert sentence_of(condemned(7, Reason.REJECTED) + (200 << 32)) == (7, Reason.REJECTED)


def test_what_was_out_for_the_last_time_when_the_broker_ended_is_a_dead_letter_after_the_start(world: World) -> None:
    log = world.store.create_log({"kind": "queue", "options": {"dead_letter": "dead", "delivery_limit": 3}})
    cursor = world.store.create_cursor(log, {})
    for body in "abc":
        log.append(record(body, _HEADERS))
    apply(world.store, Return(cursor.id, [(1, 3), (2, 2)]))
    cursor.recovered()
    queue = Queue(world.node, "q", log, cursor, 10)
    world.settle_down()
    assert dead(world) == ["a"]
    sink, _ = world.consume(queue)
    assert [(one.body, one.deliveries) for one in sink.take()] == [("b", 3), ("c", 1)]


# What it says -------------------------------------------------------------------------------------------------------


def test_a_dead_letter_tells_where_from_why_when_and_how_often() -> None:
    message = decode(
        dead_letter(
            record("x", _HEADERS),
            queue="q:1",
            reason=Reason.DELIVERY_LIMIT,
            deliveries=5,
            now_ms=7_000,
            died_ms=12_345_678,
        )
    )
    said = {name: header(message, name) for name in ("dead-letter-from", "dead-letter-reason", "dead-letter-time")}
    assert said == {
        "dead-letter-from": "q:1",
        "dead-letter-reason": "delivery_limit",
        "dead-letter-time": "12345678",
    }
    assert header(message, "dead-letter-deliveries") == "5"
    assert header(message, "destination") == "/queue/q"
    assert (message.body, message.accepted_ms) == (b"x", 7_000)
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
    once = dead_letter(record("x", _HEADERS), queue="a", reason=Reason.REJECTED, deliveries=1, now_ms=1, died_ms=1)
    twice = dead_letter(once, queue="b", reason=Reason.REJECTED, deliveries=1, now_ms=2, died_ms=2)
    message = decode(dead_letter(twice, queue="a", reason=Reason.REJECTED, deliveries=1, now_ms=3_000, died_ms=3_000))
    deaths = json.loads(header(message, "x-death") or "")
    assert [(one["queue"], one["count"]) for one in deaths] == [("a", 2), ("b", 1)]
    assert deaths[0]["time"] == 3
    assert header(message, "x-first-death-queue") == "a"
    assert header(message, "dead-letter-from") == "a"


@pytest.mark.parametrize(
    "forged",
    [
        '[{"queue":"q","reason":"rejected","count":' + "9" * 4300 + "}]",
        '[{"queue":"p","other":' + "[" * 400 + "]" * 400 + ',"count":NaN}]',
        "[",
        "7",
        '{"a":1}',
        '[1,{"count":"x","queue":"q","reason":"rejected"}]',
        "[" * 9999,
    ],
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
            died_ms=1,
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
