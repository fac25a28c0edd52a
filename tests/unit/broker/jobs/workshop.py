"""A node whose jobs run, for the tests of jobs: every test's clock jumps, and the disk is the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from segue.broker.jobs import Job, JobKind, JobOrder
from segue.broker.queue import Queue
from tests.unit.broker.actors import World

__all__ = ["begin", "bodies", "finish", "working"]


@asynccontextmanager
async def working(world: World) -> AsyncIterator[None]:
    """Jobs run inside the block."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.node.jobs.serve)
        yield
        nursery.cancel_scope.cancel()


def begin(world: World, kind: str, queue: str, to: str = "", **more: Any) -> Job:
    """Start a job."""
    return world.node.jobs.start(JobOrder(JobKind(kind), queue, to, **more))


async def finish(world: World, job: Job, seconds: int = 1000) -> Job:
    """Let the disk do what it has to, and the job, until that has ended or so many seconds are over."""
    for _ in range(seconds):
        world.settle_down()
        with trio.move_on_after(1):
            await job.ended.wait()
        if job.ended.is_set():
            break
    world.settle_down()
    return job


def bodies(world: World, queue: Queue) -> list[str]:
    """Take everything that is ready; what is taken stays out."""
    sink, _ = world.consume(queue, prefetch=100_000)
    return sink.bodies()
