"""What the models of the broker have in common: a node over the store, and a clock that stands still."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import trio

from segue.broker.deep_sweep import DeepSweep
from segue.broker.node import Node
from segue.broker.queue import Queue
from segue.broker.settings import Settings
from segue.broker.users import Users
from segue.storage.api import Cursor
from tests.faults.storage.driver import until
from tests.helpers.recorded_log import RecordedLog
from tests.property.lives import Lives
from tests.property.operation import CRASHES, Operation
from tests.unit.broker.memory_store import FakeClock

__all__ = ["BrokerLives"]


class BrokerLives(Lives):
    """See the module. A start calls `_start_node`.

    Attributes:
        clock: goes on when an operation says so.
        node: of this life.
    """

    node: Node

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.clock = FakeClock()

    def _start_node(self) -> None:
        settings = Settings()
        self.node = Node(self._store, settings, self.clock, RecordedLog(), Users(settings.users))

    async def _go_on(self) -> None:
        """As in every life, with the jobs beside it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.node.jobs.serve)
            await super()._go_on()
            nursery.cancel_scope.cancel()

    async def _step(self, operation: Operation) -> None:
        """An operation; sometimes, to wait until it is durable."""
        await super()._step(operation)
        if operation.seed % 3 == 0 and operation.what not in CRASHES:
            await self._wait(operation)
        self._end_step()

    async def _stop(self) -> None:
        await self._wait(Operation("wait"))

    @abstractmethod
    async def _wait(self, operation: Operation) -> None:
        """Until everything is durable. Most models take note of it, and look at what is there."""

    def _end_step(self) -> None:
        self.node.end_step()

    async def _breathe(self, operation: Operation) -> None:
        """Until nothing is under way: no commit, no read from disk, nothing that the node has put aside for later."""
        quiet = 0
        while quiet < 2:
            await self._store.next_commit()
            await self._until_read(list(self._store.cursors.values()))
            more = self.node._more.is_set()
            if more:
                self.node._more = trio.Event()
                self.node._sweep_some()
            self._end_step()
            quiet = 0 if more or not self._store.idle else quiet + 1

    async def _until_read(self, cursors: list[Cursor]) -> None:
        """Until what cursors have asked for has arrived."""
        await until(lambda: not any(cursor.window.reading or cursor.fetching for cursor in cursors))

    async def _deep_sweep(self, operation: Operation) -> None:
        """What is on disk now is looked at for what has expired; what is read again in a year, is read here at once."""
        node = self.node
        sweep = DeepSweep(
            self._store, lambda: node._sweeps, self._end_step, part_bytes=2000, unread_bytes_min=1, pause_seconds=0
        )
        for _ in range(operation.amount):
            await sweep.look_everywhere()

    def _check_bytes(self, queue: Queue) -> None:
        """Where bytes are bounded: what waits in memory is counted exactly; where some is on disk, it is shared out."""
        records: list[bytes | None] = []
        for log in queue.logs:
            (cursor,) = log.cursors
            condemned = set(cursor.condemned)
            waiting = [*range(cursor.next, log.head), *(seq for seq in cursor.returned if seq not in condemned)]
            records += [log.find(seq) for seq in waiting]
        if queue.bound is not None and queue.bound.bytes is not None and None not in records:
            assert queue.bound.bytes == sum(len(record) for record in records if record is not None)
