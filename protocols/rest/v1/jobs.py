"""Jobs: messages moved, copied and redriven between queues while others go on; seen, and cancelled.

To purge a queue takes one step, whatever its depth: that is no job.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
import trio
from msgspec import Meta

from segue.broker.jobs import Job, JobKind, JobOrder
from segue.broker.names import InvalidNameError, check_queue_name, normal
from segue.broker.selector import SelectorError, load_parser
from segue.protocols.rest.v1.destinations import QueueNamed, existing_queue, queue_called
from segue.protocols.rest.v1.operation import Call, NoParameters
from segue.protocols.rest.v1.problems import ProblemError

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = [
    "JobList",
    "JobNamed",
    "JobView",
    "JobWish",
    "Purged",
    "cancel_job",
    "list_jobs",
    "purge_queue",
    "show_job",
    "start_job",
]

_ACCEPTED: Final = 202
_RATE_MAX: Final = 1_000_000
_MESSAGES_MAX: Final = 1 << 53
"""The greatest number that every reader of JSON has (RFC 8259 §6)."""


class JobWish(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be done with the messages of a queue that are ready."""

    kind: Annotated[
        Literal["move", "copy", "redrive"],
        Meta(description="`redrive`: dead letters go back to where they came from, or to `to`."),
    ]
    queue: Annotated[str, Meta(min_length=1, description="Whose messages.")]
    to: Annotated[str, Meta(description="The queue that takes them; made if there is none.")] = ""
    filter: Annotated[str, Meta(description="A selector: which messages; left out: all.")] = ""
    rate: Annotated[int, Meta(ge=0, le=_RATE_MAX, description="So many a second at most; 0: no limit.")] = 0
    max: Annotated[int, Meta(ge=0, le=_MESSAGES_MAX, description="So many at most; 0: no limit.")] = 0
    dry_run: Annotated[bool, Meta(description="Only count what would be done.")] = False


class JobNamed(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of what is done with a job."""

    job: Annotated[int, Meta(ge=1, le=_MESSAGES_MAX, description="Its number.")]


class JobView(msgspec.Struct):
    """A job. Counts are messages."""

    job: Annotated[int, Meta(description="Its number.")]
    kind: str
    queue: str
    to: str
    filter: str
    rate: int
    max: int
    dry_run: bool
    state: Annotated[str, Meta(description="`running`, `done`, `cancelled`, `failed`, or `interrupted` by a restart.")]
    total: Annotated[int, Meta(description="Ready when it began.")]
    looked_at: Annotated[int, Meta(description="Of these, until now.")]
    matched: Annotated[int, Meta(description="Wanted by the filter.")]
    passed_on: Annotated[int, Meta(description="Moved, copied or redriven.")]
    skipped: Annotated[int, Meta(description="Dead letters that don't tell where they came from.")]
    waits_for: Annotated[str, Meta(description="Why it can't go on now; empty when it can.")]
    error: Annotated[str, Meta(description="Why it failed.")]
    started_ms: int
    ended_ms: Annotated[int, Meta(description="0 while it runs.")]


class JobList(msgspec.Struct):
    """Jobs that run, and the last ones that have ended."""

    jobs: list[JobView]


class Purged(msgspec.Struct):
    """What was purged."""

    messages: Annotated[int, Meta(description="So many were ready.")]


def start_job(call: Call[NoParameters, JobWish]) -> None:
    """Begin a job."""
    wish, node = call.body, call.node
    if not wish.to and wish.kind != "redrive":
        raise ProblemError("invalid-body", f"To {wish.kind} messages needs 'to'", pointer="/to")
    to = _taker(node, wish.to) if wish.to else ""
    queue = queue_called(node, wish.queue).name
    order = JobOrder(JobKind(wish.kind), queue, to, wish.filter.strip(), wish.rate, wish.max, wish.dry_run)
    if order.filter:
        call.exchange.start(partial(_start_with_filter, call, order))
    else:
        _start(call, order)


async def _start_with_filter(call: Call[NoParameters, JobWish], order: JobOrder) -> None:
    # The first selector of all loads its parser: a tenth of a second, which is not to be one of the event loop.
    await trio.to_thread.run_sync(load_parser)
    _start(call, order)


def _taker(node: Node, said: str) -> str:
    """The name of a queue that is there, whatever it is called, or of one that can be made."""
    name = normal(said)
    try:
        return name if name in node.queues else check_queue_name(said)
    except InvalidNameError as failure:
        raise ProblemError("invalid-body", f"No queue can be called so: {failure.reason}", pointer="/to") from None


def _start(call: Call[NoParameters, JobWish], order: JobOrder) -> None:
    try:
        job = call.node.jobs.start(order)
    except SelectorError as error:
        raise ProblemError("bad-selector", str(error), pointer="/filter") from None
    call.answer_when_durable(_view(job), _ACCEPTED)


def list_jobs(call: Call[NoParameters, None]) -> None:
    """All of them: there are some hundred at most."""
    call.answer(JobList(list(map(_view, call.node.jobs))))


def show_job(call: Call[JobNamed, None]) -> None:
    """How far a job has come."""
    call.answer(_view(call.node.jobs.job(call.parameters.job)))


def cancel_job(call: Call[JobNamed, None]) -> None:
    """End a job after the step that it is in; what it has passed on stays so."""
    job = call.node.jobs.cancel(call.parameters.job)

    async def answer_at_end() -> None:
        await job.ended.wait()
        call.answer(_view(job))

    call.exchange.start(answer_at_end)


def purge_queue(call: Call[QueueNamed, None]) -> None:
    """Settle everything that is ready."""
    queue = existing_queue(call.node, call.parameters.queue)
    call.answer_when_durable(Purged(queue.purge()))


def _view(job: Job) -> JobView:
    return JobView(**job.row())
