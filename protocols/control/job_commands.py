"""The commands of the control protocol that begin jobs, and those that look at them and end them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio

from segue.broker.jobs import JobKind, JobOrder, JobState
from segue.broker.names import normal
from segue.broker.room import on_disk
from segue.broker.selector import SelectorError, load_parser
from segue.protocols.control.answer import Answer, Result
from segue.protocols.control.arguments import Arguments
from segue.protocols.control.frames import ControlError, ErrorCode

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["JobCommands"]

_PROGRESS_SECONDS: Final = 0.5
_RATE_MAX: Final = 1_000_000


class JobCommands:
    """See the module.

    Attributes:
        on_queues, on_jobs: the commands by name; each raises `ControlError` and `BrokerError`.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.on_queues: Final[dict[str, Callable[[Arguments, Answer], Awaitable[Result]]]] = {
            "queue.move": self._move,
            "queue.copy": self._copy,
            "queue.redrive": self._redrive,
        }
        self.on_jobs: Final[dict[str, Callable[[Arguments, Answer], Awaitable[Result]]]] = {
            "job.list": self._list,
            "job.show": self._show,
            "job.watch": self._watch,
            "job.cancel": self._cancel,
        }

    async def _move(self, arguments: Arguments, answer: Answer) -> Result:
        return await self._start(JobKind.MOVE, arguments, arguments.name("to", self._node.queues))

    async def _copy(self, arguments: Arguments, answer: Answer) -> Result:
        return await self._start(JobKind.COPY, arguments, arguments.name("to", self._node.queues))

    async def _redrive(self, arguments: Arguments, answer: Answer) -> Result:
        given = arguments.text("to", "")
        to = Arguments({"to": given}).name("to", self._node.queues) if given else ""
        return await self._start(JobKind.REDRIVE, arguments, to)

    async def _start(self, kind: JobKind, arguments: Arguments, to: str) -> Result:
        order = JobOrder(
            kind,
            normal(arguments.text("queue")),
            to,
            arguments.text("filter", "").strip(),
            arguments.number("rate", 0, maximum=_RATE_MAX),
            arguments.number("max", 0),
            arguments.flag("dry_run"),
        )
        arguments.finish()
        if order.filter:
            # The first selector of all loads its parser: a tenth of a second, which is not to be one of the event loop.
            await trio.to_thread.run_sync(load_parser)
        try:
            job = self._node.jobs.start(order)
        except SelectorError as error:
            raise ControlError(ErrorCode.BAD_REQUEST, str(error)) from error
        await on_disk(self._node)
        return job.row()

    async def _list(self, arguments: Arguments, answer: Answer) -> Result:
        arguments.finish()
        rows = [job.row() for job in self._node.jobs]
        if rows:
            await answer.items(rows)
        return {"count": len(rows)}

    async def _show(self, arguments: Arguments, answer: Answer) -> Result:
        number = arguments.number("job", minimum=1)
        arguments.finish()
        return self._node.jobs.job(number).row()

    async def _watch(self, arguments: Arguments, answer: Answer) -> Result:
        """Progress lines until the job has ended; its client may leave, the job goes on."""
        number = arguments.number("job", minimum=1)
        arguments.finish()
        job = self._node.jobs.job(number)
        while job.state is JobState.RUNNING:
            await answer.progress(job.looked_at, job.total)
            with trio.move_on_after(_PROGRESS_SECONDS):
                await job.ended.wait()
        return job.row()

    async def _cancel(self, arguments: Arguments, answer: Answer) -> Result:
        number = arguments.number("job", minimum=1)
        arguments.finish()
        job = self._node.jobs.cancel(number)
        await job.ended.wait()
        return job.row()
