"""Plays jobs that move messages, and clients beside them, over a store on a simulated disk, through crashes and starts.

A message is known by its body. Where it is, is not foreseen but observed: at each start, and at the end, the queues in
which it is owed are held against what may be.
"""

from __future__ import annotations

from pathlib import Path

import trio
from hypothesis import strategies as st

from segue.broker.jobs import JobKind, JobOrder, JobState
from segue.broker.message import decode, encode, prefix
from segue.storage.api import Log
from tests.property.broker.broker_lives import BrokerLives
from tests.property.broker.owed import owed_by
from tests.property.operation import Operation, operation_lists
from tests.unit.broker.actors import FakeOutput, FakeSink

__all__ = ["Moves", "move_operations"]

NAMES = ("a", "b", "c")
_FILTERS = ("kind = 'x'", "kind = 'x' OR odd")


def move_operations(max_size: int) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations: publishers, consumers, jobs, the disk, and ends."""
    clients = ["publish", "publish", "consume", "leave"]
    job = ["move", "move", "move", "cancel"]
    disk = ["checkpoint", "wait", "breathe", "breathe"]
    end = ["crash_soon", "crash_soon", "checkpoint_and_crash", "stop"]
    begin = [Operation("publish", which, 15, seed=which) for which in range(3)] + [Operation("wait")]
    return operation_lists(
        clients, job, job, disk, disk, end, begin=begin, max_size=max_size, which_max=8, amount_max=25
    )


class Moves(BrokerLives):
    """A broker, and what is known of its messages."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._serial = 0
        self._homes: dict[str, str] = {}
        self._confirmed: set[str] = set()
        self._settling: set[str] = set()
        self._settled: set[str] = set()

    async def _begin(self) -> None:
        await self._look()
        self._start_node()

    async def _end(self) -> None:
        await self._look()

    # -- looking

    async def _look(self) -> None:
        """Each message is in one queue, unless it is settled, or nobody was told that it is there."""
        found: dict[str, str] = {}
        for log in self._store.logs.values():
            for body, kind in await self._owed(log):
                assert body not in found, f"{body} is in two places"
                assert body not in self._settled, f"{body} was settled, and is back"
                found[body] = name = log.definition["name"]
                assert kind == "x" or name == self._homes[body], f"{body} was moved, and nobody wanted that"
        lost = self._confirmed - self._settling - self._settled - found.keys()
        assert not lost, f"{lost} were confirmed, and are nowhere"
        self._settled |= self._homes.keys() - found.keys()
        self._confirmed |= found.keys()
        self._settling.clear()

    async def _owed(self, log: Log) -> list[tuple[str, str]]:
        """Body and kind of everything that is owed of a log, in order."""
        (cursor,) = log.cursors
        messages = [decode(record) for record in (await owed_by(cursor)).values()]
        return [
            (message.body.rstrip(b".").decode(), "x" if b"kind:x" in message.headers else "") for message in messages
        ]

    # -- operations

    async def _publish(self, operation: Operation) -> None:
        name = NAMES[operation.which % 3]
        queue = self.node.queue(name)
        bodies = []
        for number in range(operation.amount):
            self._serial += 1
            body = f"m{self._serial}"
            kind = (b"kind:x\n", b"kind:y\n", b"kind:x\nodd:true\n")[(operation.seed + number) % 3]
            size = (10, 300, 2000)[operation.seed % 3]
            queue.publish(encode(*prefix(1_000, kind + b"\n"), body.encode().ljust(size, b".")))
            self._homes[body] = name
            bodies.append(body)
        self._store.on_durable(lambda: self._confirmed.update(bodies))

    async def _consume(self, operation: Operation) -> None:
        """Somebody takes some and acknowledges them."""
        await self._take(operation, acknowledges=True)

    async def _leave(self, operation: Operation) -> None:
        """Somebody takes some and goes: they are returned."""
        await self._take(operation, acknowledges=False)

    async def _take(self, operation: Operation, *, acknowledges: bool) -> None:
        queue = self.node.queue(NAMES[operation.which % 3])
        session = self.node.open_session("", "", "", FakeOutput())
        sink = FakeSink()
        consumer = session.subscribe_queue(queue, sink, prefetch=operation.amount, settles=True).consumer
        await self._breathe(operation)
        if acknowledges:
            bodies = {delivery.body.rstrip(".") for delivery in sink.deliveries}
            self._settling |= bodies
            consumer.acknowledge_all(list(consumer.unacknowledged))
            consumer.settle()
            self._store.on_durable(lambda: self._settled.update(bodies))
        session.close()

    async def _move(self, operation: Operation) -> None:
        source, to = NAMES[operation.which % 3], NAMES[operation.which // 3]
        self.node.queue(source)
        only = _FILTERS[operation.seed % 2]
        rate = 0 if operation.seed % 5 else 1000
        running = [job for job in self.node.jobs if job.state is JobState.RUNNING]
        if len(running) < 3:
            job = self.node.jobs.start(JobOrder(JobKind.MOVE, source, to, only, rate, operation.amount % 4 * 20))
            if operation.seed % 3 == 0:
                await job.ended.wait()

    async def _cancel(self, operation: Operation) -> None:
        for job in self.node.jobs:
            job.scope.cancel()

    async def _wait(self, operation: Operation) -> None:
        self._end_step()
        await self._store.next_commit()

    async def _breathe(self, operation: Operation) -> None:
        """A moment, in which jobs go on, but not to their end."""
        self._end_step()
        await trio.sleep(0.001 * (operation.amount % 3))
        await self._until_read(list(self._store.cursors.values()))
