"""Messages that are put on a queue: all or none, with the ids that they are called by."""

from __future__ import annotations

import pytest

from segue.broker.by_number import read_one
from segue.broker.errors import LimitReachedError
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.protocols.http import HttpError
from segue.protocols.rest.ironmq.message import show_message
from segue.protocols.rest.ironmq.message_id import id_of, read_id
from segue.protocols.rest.ironmq.posting import NewMessage, post
from tests.unit.broker.actors import World


async def test_ids_are_told_before_the_messages_are_on_disk_and_stay(world: World) -> None:
    messages = [NewMessage("a"), NewMessage("b", push_headers={"X": "y"}), NewMessage("c")]
    ids = post(world.node, "p/q", "p", messages)
    world.settle_down()
    queue = world.node.queues["p/q"]
    found = {}
    for message_id in ids:
        place = read_id(message_id)
        assert place is not None
        record = await read_one(queue, place.number)
        assert record is not None
        assert id_of(queue, place.number, record) == message_id
        found[message_id] = show_message(queue, place.number, record)
    assert [found[message_id]["body"] for message_id in ids] == ["a", "b", "c"]
    assert all(shown["id"] == message_id for message_id, shown in found.items())


def test_a_queue_that_has_room_for_some_takes_none(world: World) -> None:
    queue = world.node.declare_queue("p/q", options=QueueOptions(messages_max=2, overflow=REFUSE))
    with pytest.raises(LimitReachedError):
        post(world.node, "p/q", "p", [NewMessage("a")] * 3)
    world.settle_down()
    assert queue.statistics().published == 0


def test_of_messages_with_bad_push_headers_none_is_taken_and_no_queue_made(world: World) -> None:
    with pytest.raises(HttpError):
        post(world.node, "p/q", "p", [NewMessage("a"), NewMessage("b", push_headers={"User-Agent": "x"})])
    assert "p/q" not in world.node.queues


def test_a_delayed_message_waits_in_the_schedule(world: World) -> None:
    (message_id,) = post(world.node, "p/q", "p", [NewMessage("a", delay=60)])
    world.settle_down()
    statistics = world.node.queues["p/q"].statistics()
    assert (statistics.ready, statistics.delayed) == (0, 1)
    place = read_id(message_id)
    assert place is not None
    assert place.scheduled is not None
