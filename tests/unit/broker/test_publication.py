"""Publishing many messages by one request: all of them or none, and each in its order."""

from __future__ import annotations

from typing import Any

import pytest

from segue.broker.errors import LimitReachedError
from segue.broker.message import decode
from segue.broker.message_headers import header_lines
from segue.broker.publication import Accepted, NewMessage, publish_to_queue, publish_to_topic
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.broker.schedule.delayed import When
from tests.unit.broker.actors import FakeSink, World, header

LATER = When(delay_ms=60_000)


@pytest.fixture
def world() -> World:
    return World()


def new(body: str, **more: Any) -> NewMessage:
    return NewMessage(header_lines("/queue/q", ()), body.encode(), **more)


def ready(world: World) -> list[str]:
    """The bodies of what is ready in the queue, in order."""
    world.settle_down()
    session = world.session()
    sink = FakeSink()
    session.subscribe_queue(world.node.queue("q"), sink, prefetch=1000, settles=True)
    world.settle_down()
    session.close()
    return sink.bodies()


def test_messages_stand_in_their_queue_in_the_order_of_the_request(world: World) -> None:
    accepted = publish_to_queue(world.node, "q", [new("a"), new("b", dedup_id="1"), new("c")])
    assert accepted == [Accepted(1), Accepted(2), Accepted(3)]
    assert publish_to_queue(world.node, "q", [new("d"), new("e")]) == [Accepted(4), Accepted(5)]
    assert ready(world) == ["a", "b", "c", "d", "e"]


def test_a_repeat_adds_nothing_and_tells_where_the_first_one_is(world: World) -> None:
    publish_to_queue(world.node, "q", [new("a", dedup_id="1")])
    accepted = publish_to_queue(world.node, "q", [new("b", dedup_id="2"), new("a", dedup_id="1")])
    assert accepted == [Accepted(2), Accepted(1, repeat=True)]
    assert ready(world) == ["a", "b"]


def test_a_message_that_stands_twice_in_a_request_is_accepted_once(world: World) -> None:
    accepted = publish_to_queue(world.node, "q", [new("a", dedup_id="1"), new("a", dedup_id="1")])
    assert accepted == [Accepted(1), Accepted(1, repeat=True)]
    assert ready(world) == ["a"]


def test_a_message_for_later_is_called_by_its_time_also_when_it_is_repeated(world: World) -> None:
    (first,) = publish_to_queue(world.node, "q", [new("a", when=LATER, dedup_id="1")])
    (again,) = publish_to_queue(world.node, "q", [new("a", when=LATER, dedup_id="1")])
    assert first.schedule_id
    assert again == Accepted(0, first.schedule_id, repeat=True)
    assert ready(world) == []


@pytest.mark.parametrize("more", [{}, {"dedup_id": "1"}])
def test_nothing_is_accepted_when_there_is_no_room_for_all(world: World, more: dict[str, str]) -> None:
    world.node.declare_queue("q", options=QueueOptions(messages_max=2, overflow=REFUSE))
    with pytest.raises(LimitReachedError):
        publish_to_queue(world.node, "q", [new("a"), new("b"), new("c", **more)])
    assert ready(world) == []


def test_a_repeat_needs_no_room(world: World) -> None:
    world.node.declare_queue("q", options=QueueOptions(messages_max=1, overflow=REFUSE))
    publish_to_queue(world.node, "q", [new("a", dedup_id="1")])
    world.settle_down()
    assert publish_to_queue(world.node, "q", [new("a", dedup_id="1")]) == [Accepted(1, repeat=True)]


def test_a_message_lives_from_when_it_can_be_had(world: World) -> None:
    publish_to_queue(world.node, "q", [new("a", ttl_ms=1000, marked=True), new("b")])
    queue = world.node.queue("q")
    world.settle_down()
    record = decode(queue.log.find(1) or b"")
    assert record.expires_ms == record.accepted_ms + 1000
    assert header(record, "destination") == "/queue/q"
    assert queue.dispatcher.expiry is not None


def test_a_topic_gives_messages_to_those_who_subscribe(world: World) -> None:
    sink = FakeSink()
    world.session().subscribe_topic("t", sink, prefetch=10, settles=False)
    assert publish_to_topic(world.node, "t", [new("a"), new("b", when=LATER)])[0] == Accepted()
    world.settle_down()
    assert sink.bodies() == ["a"]
