"""Plays jobs that move messages, and clients beside them, over a store on a simulated disk, through crashes and starts.

A message is known by its body. Where it is, is not foreseen but observed: at each start, and at the end, the queues in
which it is owed are held against what may be.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import trio
from hypothesis import strategies as st

from segue.broker.jobs import JobKind, JobOrder, JobState
from segue.broker.message import decode, encode, prefix
from segue.broker.node import Node
from segue.broker.settings import Settings
from segue.broker.users import Users
from segue.storage.api import Log, Store
from tests.faults.storage.driver import OPTIONS, run_store, until
from tests.faults.storage.simulated_disk import SimulatedDisk
from tests.helpers.recorded_log import RecordedLog
from tests.property.storage.world import Operation
from tests.unit.broker.actors import FakeOutput, FakeSink
from tests.unit.broker.memory_store import FakeClock

__all__ = ["Moves", "move_operations"]

NAMES = ("a", "b", "c")
_FILTERS = ("kind = 'x'", "kind = 'x' OR odd")


def move_operations(max_size: int) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations: publishers, consumers, jobs, the disk, and ends."""
    clients = st.sampled_from(["publish", "publish", "consume", "leave"])
    job = st.sampled_from(["move", "move", "move", "cancel"])
    disk = st.sampled_from(["checkpoint", "wait", "breathe", "breathe"])
    end = st.sampled_from(["crash", "crash", "checkpoint_and_crash", "stop"])
    operation = st.builds(
        Operation,
        st.one_of(clients, job, job, disk, disk, end),
        st.integers(0, 8),
        st.integers(1, 25),
        st.sampled_from(["synced", "posix", "journal"]),
        st.integers(0, 1000),
    )
    begin = [Operation("publish", which, 15, seed=which) for which in range(3)] + [Operation("wait")]
    return st.lists(operation, min_size=max_size // 3, max_size=max_size).map(lambda rest: begin + rest)


class Moves:
    """A broker, its disk and what is known of its messages, from life to life."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lives = 0
        (root / "0").mkdir(parents=True)
        self.disk = SimulatedDisk(root / "0")
        self._dying = Operation("crash")
        self._serial = 0
        self._homes: dict[str, str] = {}
        self._confirmed: set[str] = set()
        self._settling: set[str] = set()
        self._settled: set[str] = set()

    def play(self, steps: list[Operation]) -> None:
        """Do everything, life after life, and look at each start and at the end."""
        rest = iter([*steps, Operation("stop")])
        for _ in range(len(steps) + 2):
            ending = run_store(self.disk, lambda store: self._live(store, rest), OPTIONS)
            if ending == "end":
                break
            if ending is None:
                self._lives += 1
                folder = self._root / str(self._lives)
                self.disk = self.disk.materialise(folder, self._dying.crash, random.Random(self._dying.seed))
        run_store(self.disk, self._look, OPTIONS)

    async def _live(self, store: Store, rest: Iterator[Operation]) -> str:
        await self._look(store)
        self.node = Node(store, Settings(), FakeClock(), RecordedLog(), Users(Settings().users))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.node.jobs.serve)
            for operation in rest:
                if operation.what == "stop":
                    break
                await getattr(self, f"_{operation.what}")(operation)
                self.node.end_step()
            nursery.cancel_scope.cancel()
        return "stop" if rest.__length_hint__() else "end"  # type: ignore[attr-defined]

    # -- looking

    async def _look(self, store: Store) -> None:
        """Each message is in one queue, unless it is settled, or nobody was told that it is there."""
        self._store = store
        found: dict[str, str] = {}
        for log in store.logs.values():
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
        unread = [seq for seq in range(cursor.next, log.head) if cursor.gaps is None or seq not in cursor.gaps]
        records: dict[int, bytes] = {}
        seq = 1
        while seq < log.ram_first:
            part = await log.store.reader.read_range(log, seq, log.ram_first, 4096)
            records |= {first + n: data for first, some in part.runs for n, data in enumerate(some)}
            seq = part.upto
        owed = sorted({*cursor.holes(), *unread})
        messages = [decode(log.find(seq) or records[seq]) for seq in owed]
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

    async def _checkpoint(self, operation: Operation) -> None:
        await self._store.checkpoint()

    async def _wait(self, operation: Operation) -> None:
        self.node.end_step()
        await self._store.next_commit()

    async def _breathe(self, operation: Operation) -> None:
        self.node.end_step()
        await trio.sleep(0.001 * (operation.amount % 3))
        cursors = self._store.cursors.values()
        await until(lambda: not any(cursor.window.reading or cursor.fetching for cursor in cursors))

    async def _crash(self, operation: Operation) -> None:
        """At a call of the disk that is soon to come, in the middle of whatever goes on."""
        self._dying = replace(operation, what="crash")
        self.disk.crash_at = len(self.disk.calls) + operation.amount
        self.disk.commit_lands = operation.seed % 2 == 0

    async def _checkpoint_and_crash(self, operation: Operation) -> None:
        await self._crash(operation)
        await self._store.checkpoint()
