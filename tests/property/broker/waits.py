"""Plays a list of operations on messages for later, over a simulated disk, through crashes and starts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio
from hypothesis import strategies as st

from segue.broker.message import decode, encode, prefix
from segue.broker.node import Node
from segue.broker.schedule import wheel
from segue.broker.schedule.listing import find
from segue.broker.schedule.scheduled_message import ScheduleId, decode_scheduled
from segue.broker.session import Session, Subscription
from segue.broker.settings import Settings
from segue.broker.users import Users
from segue.storage.api import Cursor, Store, deliveries_of
from tests.faults.storage.driver import OPTIONS, run_store, until
from tests.faults.storage.simulated_disk import SimulatedDisk
from tests.helpers.recorded_log import RecordedLog
from tests.property.storage.world import Operation
from tests.unit.broker.actors import FakeOutput
from tests.unit.broker.memory_store import FakeClock

__all__ = ["Waits", "wait_operations"]

_DELAYS = (0, 0.05, 0.4, 0.9, 1.7, 5, 30, 70, 130, 3000, 9000, 400_000, 3e7)
_STEPS = (0.01, 0.3, 1, 4, 60, 300, 5000, 90_000)
_NEVER = 1 << 62


def wait_operations(max_size: int) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations: what clients do, what time and the disk do, and ends."""
    clients = st.sampled_from(["send", "send", "consume", "put_off", "cancel"])
    time = st.sampled_from(["pass_time", "pass_time", "work", "work", "set_clock"])
    disk = st.sampled_from(["checkpoint", "wait", "wait", "breathe"])
    end = st.sampled_from(["crash", "crash_soon", "crash_soon", "checkpoint_and_crash", "stop"])
    operation = st.builds(
        Operation,
        st.one_of(clients, clients, time, time, disk, end),
        st.integers(0, 7),
        st.integers(1, 20),
        st.sampled_from(["synced", "posix", "journal"]),
        st.integers(0, 1000),
    )
    begin = [Operation("send", which, 8, seed=which) for which in range(2)] + [Operation("wait")]
    return st.lists(operation, min_size=max_size // 3, max_size=max_size).map(lambda rest: begin + rest)


@dataclass
class Fate:
    """What is known of one message; moments are numbers of steps, and one is sure when a later commit is durable.

    Attributes:
        due_ms: when it may be delivered at the earliest, by the wall clock; None: the other one, `due_seconds`.
        ended: when it was acknowledged or cancelled.
        put_off: when a consumer has done so.
    """

    sent: int
    identity: ScheduleId
    due_ms: int | None
    due_seconds: float
    ended: int = _NEVER
    put_off: list[int] = field(default_factory=list)


class Sink:
    """Keeps what it is given: number → body and count of deliveries."""

    blocked = False

    def __init__(self) -> None:
        self.held: dict[int, tuple[str, int]] = {}

    def deliver(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
        self.held.update((seq, (text_of(record), 1)) for seq, record in zip(seqs, records, strict=True))

    def deliver_again(self, seq: int, record: bytes, deliveries: int) -> None:
        self.held[seq] = text_of(record), deliveries

    def cancelled(self, reason: str) -> None:
        raise AssertionError(reason)

    def failed(self, error: Exception) -> None:
        raise error


def text_of(record: bytes) -> str:
    return decode(record).body.rstrip(b".").decode()


class Waits:
    """A broker, its disk and its model, from life to life."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lives = 0
        (root / "0").mkdir(parents=True)
        self.disk = SimulatedDisk(root / "0")
        self._clock = FakeClock()
        self._fates: dict[str, Fate] = {}
        self._serial = self._moment = self._sure = 0
        self._seen = 1
        self._delays_are_known = True
        self._broken: AssertionError | None = None
        self._dying = Operation("crash")

    def play(self, steps: list[Operation]) -> None:
        """Do everything, life after life; in the end everything has come that was to come."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wheel, "_AT_A_TIME", 1)  # so that few messages are many steps
            self._play(steps)

    def _play(self, steps: list[Operation]) -> None:
        rest = iter([*steps, Operation("stop")])
        for _ in range(len(steps) + 2):
            ending = run_store(self.disk, lambda store: self._live(store, rest), OPTIONS)
            if self._broken is not None:
                raise self._broken
            if ending == "end":
                break
            if ending is None:
                self._after_crash(self._dying)
        run_store(self.disk, self._drain, OPTIONS)

    def _after_crash(self, crash: Operation) -> None:
        self._lives += 1
        self.disk = self.disk.materialise(self._root / str(self._lives), crash.crash, random.Random(crash.seed))
        if crash.which % 4 == 0:
            self.disk.crash_at = crash.amount  # in the middle of the recovery, or soon after; once, or it is for ever
            self._dying = replace(crash, which=1, seed=crash.seed + 1)

    async def _live(self, store: Store, rest: Iterator[Operation]) -> str:
        await self._begin(store)
        for operation in rest:
            if operation.what in ("crash", "crash_soon", "checkpoint_and_crash"):
                self._dying = operation
                self.disk.crash_at = len(self.disk.calls) + (0 if operation.what == "crash" else operation.amount)
                self.disk.commit_lands = operation.seed % 2 == 0
                if operation.what == "checkpoint_and_crash":
                    await self._checkpoint(operation)
            elif operation.what == "stop":
                await self._wait(operation)
                return "stop" if rest.__length_hint__() else "end"  # type: ignore[attr-defined]
            else:
                await getattr(self, f"_{operation.what}")(operation)
                if operation.seed % 3 == 0:
                    await self._wait(operation)
            self.node.end_step()
        return "end"

    # -- starts and ends

    async def _begin(self, store: Store) -> None:
        self._store = store
        self._look_through(await self._owed())
        self.node = Node(store, Settings(), self._clock, RecordedLog(), Users(Settings().users))
        self.node.queue("q")
        self._seen = self.node.queues["q"].log.head
        await self._wait(Operation("wait"))

    async def _owed(self) -> list[tuple[str, str, int]]:
        """Kind of log, body and deliveries of everything that is owed anywhere."""
        found = []
        for log in self._store.logs.values():
            (cursor,) = log.cursors
            for record in await self._records(cursor):
                if log.definition["kind"] == "queue":
                    found.append(("queue", text_of(record), deliveries_of(record)))
                else:
                    message = decode_scheduled(record)
                    found.append((log.definition["kind"], text_of(message.record), message.deliveries))
        return found

    async def _records(self, cursor: Cursor) -> list[bytes]:
        log = cursor.log
        numbers = [*cursor.holes(), *range(cursor.next, log.head)]
        numbers = [seq for seq in numbers if cursor.gaps is None or seq not in cursor.gaps]
        records: dict[int, bytes] = {}
        seq = 1
        while seq < log.ram_first:
            part = await self._store.reader.read_range(log, seq, log.ram_first, 4096)
            records |= {first + n: data for first, some in part.runs for n, data in enumerate(some)}
            seq = part.upto
        return [log.find(seq) or records[seq] for seq in numbers]

    def _look_through(self, owed: list[tuple[str, str, int]]) -> None:
        """After a start: each message is in one place, or it is known why it is in none."""
        bodies = {body: deliveries for _, body, deliveries in owed}
        assert len(owed) == len(bodies), "nothing is in two places"
        for body, fate in list(self._fates.items()):
            if body in bodies:
                assert fate.ended > self._sure, "what has ended for sure does not come back"
                fate.ended = _NEVER  # that was not durable
                assert bodies[body] >= sum(moment <= self._sure for moment in fate.put_off), "its count goes on"
                if fate.put_off:  # a crash forgets for how long, until the message has been moved to the schedule
                    fate.due_ms, fate.due_seconds = None, 0.0
                del fate.put_off[bodies[body] :]
            elif fate.sent <= self._sure:
                assert fate.ended < _NEVER, f"{body} is lost"
            else:
                del self._fates[body]
        assert self._fates.keys() >= set(bodies)

    async def _drain(self, store: Store) -> None:
        await self._begin(store)
        for number in range(40):
            await self._work(Operation(""))
            if not self.node.schedule.size:
                break
            self._clock.advance(2.0**number)
        else:
            raise AssertionError("it does not come to an end")
        await self._wait(Operation(""))
        bodies = sorted(body for _, body, _ in await self._owed())
        assert bodies == sorted(body for body, fate in self._fates.items() if fate.ended == _NEVER)
        kinds = {log.definition["kind"] for log in store.logs.values()}
        assert kinds <= {"queue", "schedule"}, "no bucket is left"

    # -- operations

    async def _send(self, operation: Operation) -> None:
        self._moment += 1
        for number in range(operation.amount):
            delay = _DELAYS[(operation.seed + number) % len(_DELAYS)]
            self._serial += 1
            body = f"m{self._serial}"
            size = (10, 300, 2000)[operation.seed % 3]
            headers = b"destination:/queue/q\ncontent-length:%d\n\n" % size
            record = encode(*prefix(self._clock.now_ms(), headers), body.encode().ljust(size, b"."))
            due_ms = None
            if (operation.seed + number) % 2:
                due_ms = self._clock.now_ms() + int(delay * 1000)
                identity = self.node.schedule.at(due_ms, "qq", record)
            else:
                identity = self.node.schedule.after(int(delay * 1000), "qq", record)
            self._fates[body] = Fate(self._moment, identity, due_ms, self._clock.monotonic() + delay)
        self._store.want()

    async def _cancel(self, operation: Operation) -> None:
        waiting = [body for body, fate in self._fates.items() if fate.ended == _NEVER]
        for body in random.Random(operation.seed).sample(waiting, min(3, len(waiting))):
            found = await find(self.node.schedule, self._fates[body].identity)
            if found is not None:
                assert text_of(found.message.record) == body
                self._moment += 1
                self._fates[body].ended = self._moment
                self.node.schedule.cancel(found)

    async def _consume(self, operation: Operation) -> None:
        await self._take(operation, put_off=False)

    async def _put_off(self, operation: Operation) -> None:
        await self._take(operation, put_off=True)

    async def _take(self, operation: Operation, *, put_off: bool) -> None:
        """A consumer comes, acknowledges or puts off what it gets, and goes."""
        session, sink, subscription = self._subscribe(operation.amount)
        await self._breathe(operation)
        self._moment += 1
        for seq, (body, deliveries) in sink.held.items():
            fate = self._fates[body]
            assert deliveries > len(fate.put_off), "the count goes on"
            if put_off:
                fate.put_off.append(self._moment)
                delay = _DELAYS[(operation.seed + seq) % len(_DELAYS)]
                fate.due_ms, fate.due_seconds = None, self._clock.monotonic() + delay
                session.give_back(subscription.consumer, [seq], int(delay * 1000) or 1)
            else:
                fate.ended = self._moment
                subscription.consumer.acknowledge(seq, subscription.consumer.unacknowledged[seq])
        subscription.consumer.settle()
        session.close()

    def _subscribe(self, prefetch: int) -> tuple[Session, Sink, Subscription]:
        session, sink = self.node.open_session("", "", "", FakeOutput()), Sink()
        subscription = session.subscribe_queue(self.node.queues["q"], sink, prefetch=prefetch, settles=True)
        return session, sink, subscription

    async def _pass_time(self, operation: Operation) -> None:
        self._clock.advance(_STEPS[operation.amount % len(_STEPS)])

    async def _set_clock(self, operation: Operation) -> None:
        known, self._delays_are_known = self._delays_are_known, False
        self._clock.set_by((3600, -3600, 40, -86_400)[operation.which % 4])
        self.node.schedule.step()
        await self._wait(operation)
        self._delays_are_known = known  # or it crashed before that was written down

    async def _work(self, operation: Operation) -> float:
        """Do what is due. Returns seconds until there is more."""
        quiet, seconds = 0, 0.0
        while quiet < 2:
            seconds = self.node.schedule.step()
            await self._breathe(operation)
            quiet = quiet + 1 if seconds else 0
        return seconds

    async def _checkpoint(self, operation: Operation) -> None:
        await self._store.checkpoint()

    async def _wait(self, operation: Operation) -> None:
        """Until everything is durable, and everything that was read from disk has arrived."""
        moment = self._moment
        self._store.on_durable(lambda: self._be_sure(moment))
        await self._breathe(operation)
        schedule = self.node.schedule
        assert schedule.size == sum(bucket.size for bucket in schedule.buckets())

    def _be_sure(self, moment: int) -> None:
        self._sure = max(self._sure, moment)

    async def _breathe(self, operation: Operation) -> None:
        quiet = 0
        while quiet < 2:
            await self._store.next_commit()
            cursors = list(self._store.cursors.values())
            await until(lambda: not any(one.window.reading or one.fetching for one in cursors))  # noqa: B023
            more = self.node._more.is_set()
            if more:
                self.node._more = trio.Event()
            self.node.end_step()
            self._look_at_new()
            quiet = 0 if more or not self._store.idle else quiet + 1

    def _look_at_new(self) -> None:
        """What has come into the queue since the last look: none of it too early."""
        log = self.node.queues["q"].log
        for seq in range(self._seen, log.sealed):
            record = log.find(seq)
            if record is not None:
                try:
                    self._check_time(self._fates[text_of(record)])
                except AssertionError as error:
                    self._broken = error  # for the disk may crash at the same time
                    raise
        self._seen = log.sealed

    def _check_time(self, fate: Fate) -> None:
        if fate.due_ms is not None:
            assert self._clock.now_ms() >= fate.due_ms, "it is early"
        elif self._delays_are_known:
            assert self._clock.monotonic() >= fate.due_seconds - 0.002, "it is early"
