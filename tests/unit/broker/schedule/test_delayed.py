"""A target of messages for later: what is published there comes, whenever that was."""

from __future__ import annotations

import pytest

from segue.broker.message import encode, prefix
from segue.broker.schedule.delayed import Delayed, When
from tests.unit.broker.actors import record
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []


def delayed(world: Waiting, seconds: float) -> Delayed:
    return Delayed(world.node, "q", [world.node.queue("q")], When(delay_ms=round(seconds * 1000)))


def test_a_message_waits_from_when_it_was_published(world: Waiting) -> None:
    target = delayed(world, 2)
    for body in "abc":
        target.publish(record(body))
        world.wait(0.5)
    world.wait(0.5)
    assert world.bodies() == ["a"]
    world.wait(0.5)
    assert world.bodies() == ["a", "b"]
    world.wait(0.5)
    assert world.bodies() == ["a", "b", "c"]


def test_messages_of_the_same_millisecond_share_a_slot_and_come_in_their_order(world: Waiting) -> None:
    target = delayed(world, 1)
    slot = target.slot()
    for body in "abc":
        target.publish(record(body))
    assert target.slot() is slot
    world.wait(1)
    assert world.bodies() == ["a", "b", "c"]
    assert target.slot() is not slot


def test_a_message_is_not_put_where_the_last_one_has_gone_within_the_same_millisecond(world: Waiting) -> None:
    past = When(time_ms=world.clock.now_ms() - 5000)
    target = Delayed(world.node, "q", [world.node.queue("q")], past)
    for body in "ab":
        target.publish(record(body))
        world.work()
        assert world.logs == [], "its bucket is gone"
    assert world.bodies() == ["a", "b"]
    world.restart()
    assert world.bodies() == ["a", "b"]


@pytest.mark.parametrize(("headers", "expires_ms", "mark"), [(b"", 9, "expiring"), (b"JMSXGroupID:a\n", 0, "grouped")])
def test_what_a_message_brings_along_is_noted_when_it_comes(
    world: Waiting, headers: bytes, expires_ms: int, mark: str
) -> None:
    target = delayed(world, 1)
    message = encode(*prefix(0, headers, 1, expires_ms), b"a")
    target.note(record("of no importance"))
    target.note(message)
    target.publish(message)
    world.wait(1)
    assert world.node.queues["q"].definition.get(mark)
