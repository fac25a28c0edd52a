"""Tests of segue.broker.jobs.jobs: beginning, ending, cancelling, and what a start finds of them."""

from __future__ import annotations

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from segue.broker.errors import LimitReachedError, NotFoundError
from segue.broker.jobs import JobState
from segue.broker.jobs.jobs import _ENDED_MAX, _RUNNING_MAX
from segue.broker.queue import Queue
from segue.broker.selector import SelectorError
from tests.unit.broker.actors import World
from tests.unit.broker.jobs.workshop import begin, bodies, finish, working


async def test_a_job_is_told_of_in_the_log_and_in_the_list(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    world.publish(queue, "a", "b")
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r"))
    assert list(world.node.jobs) == [job]
    assert world.node.jobs.job(1) is job
    row = job.row()
    assert (row["job"], row["kind"], row["queue"], row["to"], row["state"]) == (1, "move", "q", "r", "done")
    assert (row["passed_on"], row["total"], row["waits_for"], row["error"]) == (2, 2, "", "")
    assert row["ended_ms"] >= row["started_ms"] > 0
    assert [one.event for one in world.log.events if one.event.startswith("job.")] == ["job.started", "job.ended"]


async def test_a_cancelled_job_ends_after_its_step_and_what_it_did_stays(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    world.publish(queue, *map(str, range(2000)))
    async with working(world):
        job = begin(world, "move", "q", "r")
        world.settle_down()
        await wait_all_tasks_blocked()
        moved = job.passed_on
        assert world.node.jobs.cancel(1) is job
        await finish(world, job)
        assert world.node.jobs.cancel(1) is job, "once more is no error"
    assert (job.state, job.passed_on) == (JobState.CANCELLED, moved)
    assert bodies(world, world.node.queues["r"]) == [str(number) for number in range(moved)]
    assert queue.statistics().ready == 2000 - moved


async def test_a_job_that_is_cancelled_before_it_runs_does_nothing(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    world.publish(queue, "a")
    async with working(world):
        job = begin(world, "move", "q", "r")
        world.node.jobs.cancel(1)
        await finish(world, job)
    assert (job.state, job.passed_on) == (JobState.CANCELLED, 0)


async def test_what_is_not_there_is_an_error(autojump_clock: MockClock, world: World, queue: Queue) -> None:
    with pytest.raises(NotFoundError, match="no queue 'x'"):
        begin(world, "move", "x", "r")
    with pytest.raises(SelectorError):
        begin(world, "move", "q", "r", filter="a = = b")
    for call in (world.node.jobs.job, world.node.jobs.cancel):
        with pytest.raises(NotFoundError, match="no job 1"):
            call(1)
    assert list(world.node.jobs) == []


async def test_only_so_many_run_at_a_time(autojump_clock: MockClock, world: World, queue: Queue) -> None:
    world.publish(queue, "a")
    jobs = [begin(world, "copy", "q", "r") for _ in range(_RUNNING_MAX)]
    with pytest.raises(LimitReachedError, match="16 jobs are running"):
        begin(world, "copy", "q", "r")
    async with working(world):
        for job in jobs:
            await finish(world, job)
        await finish(world, begin(world, "copy", "q", "r"))
    assert len(bodies(world, world.node.queues["r"])) == _RUNNING_MAX + 1


async def test_only_the_last_ones_that_have_ended_are_remembered(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    async with working(world):
        for _ in range(_ENDED_MAX + 5):
            await finish(world, begin(world, "copy", "q", "r"))
    assert [job.number for job in world.node.jobs] == list(range(5, _ENDED_MAX + 6))


async def test_a_job_that_the_end_of_the_broker_cut_short_is_found_so_once(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    world.publish(queue, *map(str, range(2000)))
    async with working(world):
        begin(world, "move", "q", "r", rate=5)
        begin(world, "copy", "q", "r", dry_run=True)
        world.settle_down()
        await wait_all_tasks_blocked()
    world.settle_down()
    after = World()
    took_up = after.node.queue("q")
    after.store.redefine(took_up.log, queue.definition)
    after.node.jobs.recovered(took_up)
    (job,) = after.node.jobs
    assert (job.number, job.state, job.order.to, job.order.rate) == (1, JobState.INTERRUPTED, "r", 5)
    assert "jobs" not in took_up.definition
    assert after.log.named("job.interrupted")
    assert begin(after, "copy", "q", "r").number == 2


async def test_a_job_that_has_ended_leaves_no_trace_in_its_queue(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    world.publish(queue, "a")
    before = dict(queue.definition)
    async with working(world):
        job = begin(world, "move", "q", "r")
        assert queue.definition["jobs"]["1"]["to"] == "r"
        await finish(world, job)
    assert queue.definition == before


async def test_a_fault_of_ours_costs_the_job_and_not_the_broker(
    autojump_clock: MockClock, world: World, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish(queue, "a")

    def fail(name: str) -> Queue:
        raise ZeroDivisionError

    async with working(world):
        with monkeypatch.context() as patch:
            patch.setattr(world.node, "queue", fail)
            job = await finish(world, begin(world, "move", "q", "r"))
        assert job.state is JobState.FAILED
        assert world.log.named("internal.error")
        assert (await finish(world, begin(world, "move", "q", "r"))).state is JobState.DONE
