"""Messages whose time has come: many at once, as if it were one after the other."""

from __future__ import annotations

import pytest

from segue.broker.message import encode, prefix
from segue.broker.queue_options import DROP_OLDEST, REFUSE, QueueOptions
from tests.unit.broker.actors import record
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []


def test_a_queue_takes_as_many_as_it_has_room_for_and_the_rest_in_order_later(world: Waiting) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(messages_max=3, overflow=REFUSE))
    for number in range(8):
        world.send(f"{number}", delay=1)
    world.wait(1)
    assert world.bodies() == ["0", "1", "2"]
    assert world.node.schedule.size == world.node.schedule.census.waiting_for("qq") == 5
    queue.purge()
    world.wait(2)
    assert world.bodies() == ["3", "4", "5"]
    assert world.node.schedule.size == 2


def test_a_message_for_several_queues_comes_into_all_of_them_or_waits_for_the_full_one(world: Waiting) -> None:
    world.node.declare_queue("q", options=QueueOptions(messages_max=2, overflow=REFUSE))
    for number in range(4):
        world.send(f"{number}", delay=1, to="qq\nqp")
    world.wait(1)
    assert world.bodies() == world.bodies("p") == ["0", "1"]


@pytest.mark.parametrize("options", [QueueOptions(messages_max=3, overflow=DROP_OLDEST), QueueOptions(priority_max=9)])
def test_a_queue_that_looks_at_each_message_does_so(world: Waiting, options: QueueOptions) -> None:
    queue = world.node.declare_queue("q", options=options)
    for number in range(4):
        headers = f"priority:{number + 4}\n".encode()
        world.node.schedule.after(1000, "qq", record(f"{number}", headers))
    world.wait(1)
    world.settle_down()
    assert queue.statistics().ready == (3 if options.messages_max else 4)
    assert (queue.levels is not None) is bool(options.priority_max)
    if queue.levels is not None:
        assert [log.durable - 1 for log in queue.logs] == [1, 1, 1, 1]


@pytest.mark.parametrize("kind", ["q", "t"])
def test_a_deadline_among_messages_that_have_none_is_noticed(world: Waiting, kind: str) -> None:
    queue = world.node.queue("q")
    if kind == "t":
        world.node.bind(queue, "news")
    target = "qq" if kind == "q" else "tnews"
    now_ms = world.clock.now_ms()
    for expires_ms in (0, now_ms + 5000, 0):
        world.node.schedule.after(1000, target, encode(*prefix(now_ms, b"", 1, expires_ms), b"a"))
    world.wait(1)
    assert queue.definition.get("expiring")
    assert queue.statistics().ready == 3
    assert queue.dispatcher.expiry is not None


def test_what_is_known_to_be_plain_is_not_looked_at(world: Waiting) -> None:
    """It would be the dearest part of it; here the record says something else than the frame."""
    queue = world.node.queue("q")
    now_ms = world.clock.now_ms()
    slot = world.node.schedule.slot(now_ms, "qq", by_wall_clock=True, is_plain=True)
    slot.accept(encode(*prefix(now_ms, b"JMSXGroupID:a\n", 1, now_ms + 5000), b"a"))
    world.work()
    assert world.bodies() == ["a"]
    assert not queue.definition.get("expiring")
    assert not queue.definition.get("grouped")
