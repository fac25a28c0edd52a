"""Counting what waits: as it comes and goes, and after a start what is there."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from segue.broker.schedule.listing import find
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []


def counts(world: Waiting) -> tuple[int, int]:
    census = world.node.schedule.census
    return census.waiting_for("qq"), census.waiting_for("qp")


def is_complete(world: Waiting) -> bool:
    return world.node.schedule.census.complete


def test_messages_are_counted_for_each_of_their_targets_until_they_come(world: Waiting) -> None:
    world.send("a", delay=1)
    world.send("b", delay=300, to="qq\nqp")
    assert counts(world) == (2, 1)
    assert world.node.queue("q").statistics().delayed == 2
    world.wait(1)
    assert counts(world) == (1, 1)
    world.wait(299)
    assert counts(world) == (0, 0)


async def test_after_a_start_they_are_counted_from_the_disk(world: Waiting) -> None:
    for delay in (0.3, 20, 20, 5000, 1e8):
        world.send("a", delay=delay)
        world.send("b", delay=delay, to="qp")
    world.send_at("at", 50)
    world.work()
    world.restart()
    assert not is_complete(world)
    await world.node.schedule.census.run()
    assert is_complete(world)
    assert counts(world) == (6, 5)
    assert world.node.schedule.size == 11


async def test_what_moves_comes_or_is_cancelled_while_it_counts_is_counted_once(world: Waiting) -> None:
    sent = [world.send("a", delay=delay) for delay in (0.3, 40, 40, 41, 5000, 5001, 6000)]
    world.work()
    world.restart()
    world.wait(8)  # the first one comes, others are moved
    cancelled = await find(world.node.schedule, sent[1])
    assert cancelled is not None
    world.node.schedule.cancel(cancelled)
    world.settle_down()
    await world.node.schedule.census.run()
    assert counts(world) == (5, 0)
    world.wait(10_000)
    assert counts(world) == (0, 0)
    assert len(world.bodies()) == 6


async def test_those_that_wait_for_room_are_counted(world: Waiting) -> None:
    world.full_queue("q")
    for _ in range(3):
        world.send("a", delay=1)
    world.wait(1)
    assert counts(world) == (3, 0)
    world.restart()
    world.node.queues["q"].purge()
    world.wait(1)
    await world.node.schedule.census.run()
    assert counts(world) == (2, 0)


async def test_it_waits_while_the_disk_does_not_answer(world: Waiting, autojump_clock: MockClock) -> None:
    world.send("a", delay=5000)
    world.settle_down()
    for log in list(world.store.logs.values()):
        world.store.spill(log)
    world.restart()
    world.store.played_reader.fault = OSError("no answer")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.node.schedule.census.run)
        await trio.sleep(100)
        assert not is_complete(world)
        world.store.played_reader.fault = None
    assert counts(world) == (1, 0)
