"""What a session remembers of a SEND head."""

from __future__ import annotations

from segue.broker.message import PERSISTENT, decode, encode
from segue.protocols.stomp.route import Route
from tests.unit.broker.actors import World

BLOCK = b"destination:/queue/q\n"


def route(*, persistent: bool = True) -> Route:
    queue = World().node.queue("q")
    return Route(queue, queue.append, BLOCK, persistent=persistent)


def test_messages_of_one_length_begin_alike_and_each_is_whole() -> None:
    found = route()
    found.refresh(1, 1234)
    for body in (b"abc", b"xyz", b""):
        message = decode(encode(*found.common(len(body)), body))
        assert message.headers == BLOCK + b"content-length:%d\n\n" % len(body)
        assert (message.body, message.accepted_ms) == (body, 1234)
    assert sorted(found.commons) == [0, 3]


def test_what_was_made_for_one_moment_is_not_used_at_another() -> None:
    found = route()
    found.refresh(1, 1000)
    found.common(3)
    found.refresh(2, 1000)
    assert found.step == 2
    assert found.commons
    found.refresh(3, 1001)
    assert found.commons == {}
    assert decode(encode(*found.common(1), b"x")).accepted_ms == 1001


def test_bodies_of_any_number_of_lengths_take_bounded_memory() -> None:
    found = route()
    found.refresh(1, 1000)
    for length in range(2000):
        found.common(length)
    assert len(found.commons) <= 256


def test_a_message_that_need_not_survive_says_so() -> None:
    for persistent in (True, False):
        found = route(persistent=persistent)
        assert bool(decode(encode(*found.common(0), b"")).flags & PERSISTENT) is persistent


def test_a_topic_is_taken_for_somebody_who_may_wait_and_a_queue_asks_its_consumers() -> None:
    world = World()
    queue, topic = world.node.queue("q"), world.node.topic("t")
    to_queue = Route(queue, queue.append, BLOCK)
    assert Route(topic, topic.publish, BLOCK).has_consumers()
    assert not to_queue.has_consumers()
    world.consume(queue)
    assert to_queue.has_consumers()
