"""Jobs on queues with priorities: in order of delivery, out of every level, and sorted again where they go."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from segue.broker.jobs import JobState
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from tests.unit.broker.actors import World, record
from tests.unit.broker.jobs.workshop import begin, bodies, finish, working


@pytest.fixture
def queue(world: World) -> Queue:
    """Messages 0 to 11, by turns of priority 0, 4 and 8."""
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=9))
    for number in range(12):
        queue.publish(record(str(number), b"priority:%d\nhalf:%d\n\n" % (number % 3 * 4, number % 2)))
    world.node.store.want()
    world.settle_down()
    return queue


@pytest.mark.parametrize("spilled", [False, True])
async def test_what_the_filter_wants_is_taken_out_of_every_level(
    autojump_clock: MockClock, world: World, queue: Queue, spilled: bool
) -> None:
    for log in queue.logs if spilled else ():
        world.store.spill(log)
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r", filter="half = 1"))
    assert (job.state, job.looked_at, job.passed_on) == (JobState.DONE, 12, 6)
    assert bodies(world, world.node.queues["r"]) == ["5", "11", "1", "7", "3", "9"]
    assert queue.statistics().ready == 6
    assert bodies(world, queue) == ["2", "8", "4", "10", "0", "6"]


async def test_what_returned_goes_along_and_what_is_out_stays(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    sink, subscription = world.consume(queue, prefetch=5)
    taken = sink.take()
    world.node.sessions[subscription.consumer.session_id].give_back(subscription.consumer, [taken[4].seq])
    queue.pause()
    world.settle_down()
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r"))
    assert job.passed_on == job.total == 8
    assert bodies(world, world.node.queues["r"]) == ["1", "4", "7", "10", "0", "3", "6", "9"]
    assert queue.statistics().in_flight == 4


async def test_a_queue_that_is_moved_onto_itself_is_as_it_was(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "q"))
    assert job.passed_on == 12
    assert bodies(world, queue) == ["2", "5", "8", "11", "1", "4", "7", "10", "0", "3", "6", "9"]
