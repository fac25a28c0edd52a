"""A target of messages for later: what is published there comes, whenever that was."""

from __future__ import annotations

from segue.broker.schedule.delayed import Delayed, When
from segue.broker.schedule.scheduled_message import ScheduleId
from tests.unit.broker.actors import record
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []


def delayed(world: Waiting, seconds: float) -> Delayed:
    return Delayed(world.node, "q", [world.node.queue("q")], When(delay_ms=round(seconds * 1000)))


def test_a_message_waits_from_when_it_was_published(world: Waiting) -> None:
    target = delayed(world, 2)
    names = []
    for body in "abc":
        names.append(target.publish(record(body)))
        world.wait(0.5)
    world.wait(0.5)
    assert world.bodies() == ["a"]
    world.wait(0.5)
    assert world.bodies() == ["a", "b"]
    world.wait(0.5)
    assert world.bodies() == ["a", "b", "c"]
    assert len(set(names)) == 3


def test_messages_of_the_same_millisecond_come_in_their_order_with_names_of_their_own(world: Waiting) -> None:
    target = delayed(world, 1)
    names = [ScheduleId.from_text(target.publish(record(body)).decode()) for body in "abc"]
    assert [name and name.seq for name in names] == [1, 2, 3]
    world.wait(1)
    assert world.bodies() == ["a", "b", "c"]


def test_a_message_is_not_put_where_the_last_one_has_gone_within_the_same_millisecond(world: Waiting) -> None:
    target = delayed(world, 0)
    for body in "ab":
        target.publish(record(body))
        world.work()
        assert world.logs == [], "its bucket is gone"
    assert world.bodies() == ["a", "b"]
    world.restart()
    assert world.bodies() == ["a", "b"]
