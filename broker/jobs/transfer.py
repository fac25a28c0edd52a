"""Carrying out a job: from window to window, from step to step, as long as there is room.

Theory of operation. A browser gives windows of what is ready. A step looks at some messages of the window: is it still
ready, does the filter want it? If so it is appended to where it goes, and settled, with nothing awaited in between:
that is one batch, all there after a crash or not at all. Then the job waits for the disk, so that it has never more
than one step under way, and everybody else has his turn.

Where the one destination is full, the job waits. A redrive goes to many: what is for one that is full is passed over,
and so is what comes behind it for the same one, to keep their order. When all others are back where they came from, the
job waits for room in one of these, and goes once more over what is left.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from segue.broker.browse import Browser
from segue.broker.by_number import check_gaps, take_out
from segue.broker.errors import LimitReachedError, NotFoundError
from segue.broker.headers import Headers
from segue.broker.jobs.allowance import Allowance
from segue.broker.jobs.job import Job
from segue.broker.jobs.order import JobKind
from segue.broker.jobs.redrive import origin_of, redriven
from segue.broker.names import InvalidNameError, check_queue_name
from segue.broker.room import on_disk, until_let_go
from segue.broker.selector import compile_selector
from segue.storage.api import deliveries_of, with_deliveries

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.queue import Queue

__all__ = ["Transfer"]

_WINDOW_BYTES: Final = 1 << 20
_STEP_COST_MAX: Final = 1 << 20
_LOOKED_AT_COST: Final = 512
_PASSED_ON_COST: Final = 1024
_REDRIVEN_COST: Final = 4096
"""What one step may do, two or three milliseconds: look at 2,000 small messages, move 600, or make 200 anew; of large
ones as many as have that size in octets."""
_AGAIN_SECONDS: Final = 1.0
"""As dead letters that are stuck: a full queue is looked at again."""
_REASONS_MAX: Final = 3
"""Full origins that are named: an operator who sees some will find the others."""


class _Refusal(NamedTuple):
    """Why an origin is full, and the size of the message that it had no room for."""

    reason: str
    size: int


class Transfer:
    """One job at work."""

    def __init__(self, node: Node, job: Job) -> None:
        """Takes note of what is ready now: what comes later is none of its business, so it ends.

        Raises:
            NotFoundError: there is no such queue.
            SelectorError: the filter is none.
        """
        order = job.order
        self._node = node
        self._job = job
        self._source: Queue = node.existing_queue(order.queue)
        self._matches = compile_selector(order.filter).matches if order.filter else None
        self._browser = Browser(self._source)
        self._full: dict[str, _Refusal] = {}
        self._is_first_round = True
        job.total = self._source.cursor.ready

    async def run(self) -> None:
        """Work until it is done.

        Raises:
            BrokerError: it can't be done.

        Cancellation: between two steps; each is all done or not at all.
        """
        order = self._job.order
        allowance = Allowance(0 if order.dry_run else order.rate)
        await self._go_through(allowance)
        self._is_first_round = False
        while self._full and not self._job.is_full:
            await self._until_an_origin_has_room()
            self._full.clear()
            self._browser.rewind()
            await self._go_through(allowance)

    async def _go_through(self, allowance: Allowance) -> None:
        """One round, from window to window."""
        while not self._job.is_full and (window := await self._browser.chunk(_WINDOW_BYTES)):
            at = 0
            while at < len(window) and not self._job.is_full:
                await trio.lowlevel.checkpoint_if_cancelled()
                allowed = await allowance.wait()
                await self._until_there_is_room()  # and at this moment: nothing is awaited before the step
                before = self._job.passed_on
                at = self._step(window, at, allowed)
                passed_on = self._job.passed_on - before
                allowance.use(passed_on)
                if passed_on and not self._job.order.dry_run:
                    await on_disk(self._node)
                else:
                    await trio.lowlevel.checkpoint()

    async def _until_an_origin_has_room(self) -> None:
        while not any(self._has_room(origin, refusal.size) for origin, refusal in self._full.items()):
            self._job.waits_for = "; ".join(refusal.reason for refusal in islice(self._full.values(), _REASONS_MAX))
            await trio.sleep(_AGAIN_SECONDS)
            self._check_source()
        self._job.waits_for = ""

    def _has_room(self, origin: str, size: int) -> bool:
        try:
            self._node.queue(origin).check_room(1, size)
        except LimitReachedError:
            return False
        return True

    def _check_source(self) -> None:
        if not self._source.open:
            raise NotFoundError(f"queue '{self._job.order.queue}' was deleted")

    async def _until_there_is_room(self) -> None:
        """Wait for what is in the way."""
        job = self._job
        while True:
            self._check_source()
            if job.waits_for:  # the step before said so
                await trio.sleep(_AGAIN_SECONDS)
                job.waits_for = ""
            elif job.order.dry_run:
                return
            elif self._node.held:
                job.waits_for = "publishers are held: " + "; ".join(self._node.pressure.reasons)
                await until_let_go(self._node)
                job.waits_for = ""
            elif job.order.settles and (reason := self._too_many_gaps()):
                job.waits_for = reason
            else:
                return

    def _too_many_gaps(self) -> str:
        try:
            check_gaps(self._source)
        except LimitReachedError as error:
            return str(error)
        return ""

    def _step(self, window: list[tuple[int, bytes]], at: int, allowed: int) -> int:
        """Look at some messages and pass on those that are wanted; returns where to go on."""
        job, matches = self._job, self._matches
        cost = _STEP_COST_MAX
        passed_on: list[int] = []
        while at < len(window) and cost > 0 and len(passed_on) < allowed and not job.is_full:
            seq, record = window[at]
            cost -= _LOOKED_AT_COST
            if self._source.cursor.is_ready(seq) and (matches is None or matches(Headers(record))):
                to = job.order.to or self._origin(record)
                if to and to not in self._full:
                    cost -= len(record) + (_REDRIVEN_COST if job.order.kind is JobKind.REDRIVE else _PASSED_ON_COST)
                    if job.order.dry_run or self._pass_on(record, to):
                        passed_on.append(seq)
                        job.passed_on += 1
                    elif to not in self._full:
                        break
                job.skipped += self._is_first_round and not to
                job.matched += self._is_first_round
            job.looked_at += self._is_first_round
            at += 1
        if job.order.settles and not job.order.dry_run:
            take_out(self._source, passed_on)
        return at

    def _origin(self, record: bytes) -> str:
        """The queue that a dead letter came from, if one may be called so: a sender can write what he likes.

        One that came from a durable subscription can't go back to it alone: its log is that of others, too.
        """
        name = origin_of(record)
        if name in self._node.queues:
            return name
        if self._node.topics.durable(name) is not None:
            return ""
        try:
            return check_queue_name(name)
        except InvalidNameError:
            return ""

    def _pass_on(self, record: bytes, to: str) -> bool:
        """Append a message to where it goes. False when there is no room for it now."""
        node = self._node
        if self._job.order.kind is JobKind.REDRIVE and origin_of(record):
            record = redriven(record, queue=self._job.order.queue, now_ms=node.clock.now_ms())
        elif deliveries_of(record):
            record = with_deliveries(record, 0)  # they were made in the queue that it leaves
        try:
            queue = node.queue(to)
            queue.note(record)
            queue.publish(record)
        except LimitReachedError as error:
            if self._job.order.to:
                self._job.waits_for = str(error)
            else:
                self._full[to] = _Refusal(str(error), len(record))
            return False
        return True
