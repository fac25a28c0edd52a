"""The jobs of a node: those that run, and the last ones that have ended.

In memory: all of it. Durable: that a job runs, in the definition of its queue, so that a start can tell whose work was
cut short. Which messages it had passed on is in the queues themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import trio

from segue.broker.errors import BrokerError, LimitReachedError, NotFoundError
from segue.broker.jobs.job import Job, JobState
from segue.broker.jobs.order import JobOrder
from segue.broker.jobs.transfer import Transfer

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.queue import Queue

__all__ = ["Jobs"]

_RUNNING_MAX: Final = 16
"""Each keeps a window of its queue in memory, and takes its turn on the disk."""
_ENDED_MAX: Final = 100
"""Jobs that have ended, and can still be asked for."""
_KEY: Final = "jobs"


class Jobs:
    """See the module. A job runs while `serve` does."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._jobs: dict[int, Job] = {}
        self._last = 0
        self._send, self._receive = trio.open_memory_channel[tuple[Job, Transfer]](_RUNNING_MAX)

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def start(self, order: JobOrder) -> Job:
        """Begin a job, with what is ready in its queue now. That it has begun is durable with the open batch.

        Raises:
            NotFoundError: there is no such queue.
            LimitReachedError: there are too many jobs.
            SelectorError: the filter is none.
        """
        if sum(job.state is JobState.RUNNING for job in self) >= _RUNNING_MAX:
            raise LimitReachedError(f"{_RUNNING_MAX} jobs are running: wait for one to end, or cancel one")
        job = Job(self._last + 1, order, self._node.clock.wall.now_ms())
        transfer = Transfer(self._node, job)
        self._keep(job)
        if not order.dry_run:
            self._mark(self._node.queues[order.queue], job)
        self._node.log.info("job.started", job=job.number, kind=order.kind.value, queue=order.queue, to=order.to)
        self._send.send_nowait((job, transfer))
        return job

    def job(self, number: int) -> Job:
        """A job by its number.

        Raises:
            NotFoundError: there is none, or it ended long ago.
        """
        if number not in self._jobs:
            raise NotFoundError(f"no job {number}")
        return self._jobs[number]

    def cancel(self, number: int) -> Job:
        """End a job after the step that it is in; one that has ended stays as it is.

        Raises:
            NotFoundError: there is none.
        """
        job = self.job(number)
        job.scope.cancel()
        return job

    def recovered(self, queue: Queue) -> None:
        """A queue is there after a start: take note of jobs that the last end of the broker has cut short."""
        for number, definition in queue.definition.get(_KEY, {}).items():
            job = Job(int(number), JobOrder.from_definition(definition), 0)
            job.end(JobState.INTERRUPTED, self._node.clock.wall.now_ms())
            self._keep(job)
            self._unmark(queue, job)
            self._node.log.warning("job.interrupted", job=job.number, kind=job.order.kind.value, queue=queue.name)

    async def serve(self) -> None:
        """Run what is started, until cancelled. What still runs then is found interrupted by the next start."""
        async with trio.open_nursery() as nursery:
            async for job, transfer in self._receive:
                nursery.start_soon(self._run, job, transfer)

    async def _run(self, job: Job, transfer: Transfer) -> None:
        state, error = JobState.DONE, ""
        try:
            with job.scope:
                await transfer.run()
            if job.scope.cancelled_caught:
                state = JobState.CANCELLED
        except BrokerError as failure:
            state, error = JobState.FAILED, str(failure)
        except Exception as fault:  # noqa: BLE001 - a fault of ours costs the job, not the broker
            self._node.log.crash("internal.error", fault)
            state, error = JobState.FAILED, "an error in Segue; the daemon's log has it"
        self._ended(job, state, error)

    def _ended(self, job: Job, state: JobState, error: str) -> None:
        job.end(state, self._node.clock.wall.now_ms(), error)
        queue = self._node.queues.get(job.order.queue)
        if queue is not None and not job.order.dry_run:
            self._unmark(queue, job)
        self._node.log.info(
            "job.ended",
            job=job.number,
            state=state.value,
            passed_on=job.passed_on,
            looked_at=job.looked_at,
            reason=error,
        )
        self._node.end_step()

    def _keep(self, job: Job) -> None:
        self._last = max(self._last, job.number)
        self._jobs[job.number] = job
        ended = [number for number, one in self._jobs.items() if one.state is not JobState.RUNNING]
        for number in ended[: max(0, len(ended) - _ENDED_MAX)]:
            del self._jobs[number]

    def _mark(self, queue: Queue, job: Job) -> None:
        marks = {**queue.definition.get(_KEY, {}), str(job.number): job.order.as_definition()}
        self._node.store.redefine(queue.log, {**queue.definition, _KEY: marks})

    def _unmark(self, queue: Queue, job: Job) -> None:
        marks = {number: mark for number, mark in queue.definition.get(_KEY, {}).items() if number != str(job.number)}
        rest = {key: value for key, value in queue.definition.items() if key != _KEY}
        self._node.store.redefine(queue.log, rest | ({_KEY: marks} if marks else {}))
