"""Single messages by their numbers: where they stand, and taking them out."""

from __future__ import annotations

import pytest

from segue.broker import by_number
from segue.broker.by_number import Place, Whereabouts, check_gaps, read_one, take_out, whereabouts
from segue.broker.errors import LimitReachedError
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from tests.unit.broker.actors import World, body_of, record


def place(queue: Queue, number: int) -> str:
    return whereabouts(queue, number).place.value


def places(queue: Queue, *numbers: int) -> list[str]:
    return [place(queue, number) for number in numbers]


def test_a_message_is_ready_until_it_is_out_and_gone_when_it_is_settled(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b")
    assert places(queue, 0, 1, 2, 3, -1, 1 << 60) == ["gone", "ready", "ready", "gone", "gone", "gone"]
    _, subscription = world.consume(queue, prefetch=1)
    assert whereabouts(queue, 1) == Whereabouts(Place.OUT, 1)
    world.acknowledge(subscription.consumer, 1)
    assert place(queue, 1) == "gone"


def test_a_message_that_came_back_tells_how_often_it_was_delivered(world: World, queue: Queue) -> None:
    world.publish(queue, "a")
    _, subscription = world.consume(queue, prefetch=1)
    queue.dispatcher.remove(subscription.consumer)
    world.settle_down()
    assert whereabouts(queue, 1) == Whereabouts(Place.READY, 1)


async def test_messages_are_taken_out_of_the_middle(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b", "c", "d")
    take_out(queue, [2, 3])
    world.settle_down()
    assert places(queue, 1, 2, 3, 4) == ["ready", "gone", "gone", "ready"]
    assert queue.statistics().ready == 2
    record = await read_one(queue, 4)
    assert record is not None
    assert body_of(record) == "d"
    assert await read_one(queue, 9) is None


async def test_of_a_queue_with_levels_the_number_says_which(world: World) -> None:
    queue = world.node.declare_queue("levels", options=QueueOptions(priority_max=9))
    queue.publish(record("plain"))
    queue.publish(record("urgent", b"priority:9\n\n"))
    world.settle_down()
    assert queue.levels is not None
    found = [tag + 1 for tag, _ in queue.levels.cursors()]
    assert places(queue, *found, 1 << 56) == ["ready", "ready", "gone"]
    bodies = [body_of(one) for number in found if (one := await read_one(queue, number)) is not None]
    assert bodies == ["urgent", "plain"]
    take_out(queue, sorted(found))
    world.settle_down()
    assert places(queue, *found) == ["gone", "gone"]


def test_only_so_many_places_may_be_empty(world: World, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_number, "GAPS_MAX", 2)
    world.publish(queue, *"abcdef")
    check_gaps(queue)
    take_out(queue, [2, 4])
    with pytest.raises(LimitReachedError, match="2 places of queue"):
        check_gaps(queue)
