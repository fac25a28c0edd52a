"""Messages for later, and those that consumers put off: each is in one place, and none comes too early."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import strategies as st

from segue.broker.clock_watch import KIND as CLOCK
from segue.broker.dead_letters import sentence_of
from segue.broker.message import decode, encode, prefix
from segue.broker.schedule import wheel
from segue.broker.schedule.listing import find
from segue.broker.schedule.scheduled_message import ScheduleId, decode_scheduled
from segue.broker.session import Session, Subscription
from segue.storage.api import CONDEMNED, deliveries_of
from tests.property.broker.broker_lives import BrokerLives
from tests.property.broker.owed import owed_by
from tests.property.operation import Operation, operation_lists
from tests.unit.broker.actors import FakeOutput

__all__ = ["Waits", "wait_operations"]

_DELAYS = (0, 0.05, 0.4, 0.9, 1.7, 5, 30, 70, 130, 3000, 9000, 400_000, 3e7)
_STEPS = (0.01, 0.3, 1, 4, 60, 300, 5000, 90_000)
_NEVER = 1 << 62


def wait_operations(max_size: int) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations: what clients do, what time and the disk do, and ends."""
    clients = ["send", "send", "consume", "put_off", "cancel"]
    time = ["pass_time", "pass_time", "work", "work", "set_clock"]
    disk = ["checkpoint", "wait", "wait", "breathe"]
    end = ["crash", "crash_soon", "crash_soon", "checkpoint_and_crash", "stop"]
    begin = [Operation("send", which, 8, seed=which) for which in range(2)] + [Operation("wait")]
    return operation_lists(clients, clients, time, time, disk, end, begin=begin, max_size=max_size)


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


class Waits(BrokerLives):
    """A broker and its model."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._fates: dict[str, Fate] = {}
        self._serial = self._moment = self._sure = 0
        self._seen = 1
        self._delays_are_known = True

    def play(self, steps: Sequence[Operation]) -> None:
        """Do everything, life after life; in the end everything has come that was to come."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wheel, "_AT_A_TIME", 1)  # so that few messages are many steps
            super().play(steps)

    # -- starts and ends

    async def _begin(self) -> None:
        self._look_through(await self._owed())
        self._start_node()
        self.node.queue("q")
        self._seen = self.node.queues["q"].log.head
        await self._wait(Operation("wait"))

    async def _owed(self) -> list[tuple[str, str, int]]:
        """Where it is, body and deliveries of everything that is owed anywhere.

        It is in a log of a kind, or "put off": in the queue, until it has been moved to the schedule.
        """
        found = []
        for log in self._store.logs.values():
            if log.definition["kind"] == CLOCK:
                continue
            (cursor,) = log.cursors
            for seq, record in (await owed_by(cursor)).items():
                standing = cursor.returned.get(seq, 0)
                if standing >= CONDEMNED:
                    found.append(("put off", text_of(record), sentence_of(standing)[0]))
                elif log.definition["kind"] == "queue":
                    found.append(("queue", text_of(record), deliveries_of(record)))
                else:
                    message = decode_scheduled(record)
                    found.append((log.definition["kind"], text_of(message.record), message.deliveries))
        return found

    def _look_through(self, owed: list[tuple[str, str, int]]) -> None:
        """After a start: each message is in one place, or it is known why it is in none."""
        bodies = {body: deliveries for _, body, deliveries in owed}
        in_queue = {body for place, body, _ in owed if place == "queue"}
        assert len(owed) == len(bodies), "nothing is in two places"
        for body, fate in list(self._fates.items()):
            if body in bodies:
                assert fate.ended > self._sure, "what has ended for sure does not come back"
                fate.ended = _NEVER  # that was not durable
                assert bodies[body] >= sum(moment <= self._sure for moment in fate.put_off), "its count goes on"
                if body in in_queue and fate.put_off:
                    if fate.put_off[-1] <= self._sure:
                        self._check_time(fate)
                    fate.due_ms, fate.due_seconds = None, 0.0  # it was not durable, or it has come
                del fate.put_off[bodies[body] :]
            elif fate.sent <= self._sure:
                assert fate.ended < _NEVER, f"{body} is lost"
            else:
                del self._fates[body]
        assert self._fates.keys() >= set(bodies)

    async def _end(self) -> None:
        """Everything comes that was to come."""
        await self._begin()
        for number in range(40):
            await self._work(Operation(""))
            if not self.node.schedule.size:
                break
            self.clock.advance(2.0**number)
        else:
            raise AssertionError("it does not come to an end")
        await self._wait(Operation(""))
        bodies = sorted(body for _, body, _ in await self._owed())
        assert bodies == sorted(body for body, fate in self._fates.items() if fate.ended == _NEVER)
        kinds = {log.definition["kind"] for log in self._store.logs.values()}
        assert kinds <= {"queue", CLOCK}, "no bucket is left"

    # -- operations

    async def _send(self, operation: Operation) -> None:
        self._moment += 1
        for number in range(operation.amount):
            delay = _DELAYS[(operation.seed + number) % len(_DELAYS)]
            self._serial += 1
            body = f"m{self._serial}"
            size = (10, 300, 2000)[operation.seed % 3]
            headers = b"destination:/queue/q\ncontent-length:%d\n\n" % size
            record = encode(*prefix(self.clock.now_ms(), headers), body.encode().ljust(size, b"."))
            due_ms = None
            if (operation.seed + number) % 2:
                due_ms = self.clock.now_ms() + int(delay * 1000)
                identity = self.node.schedule.at(due_ms, "qq", record)
            else:
                identity = self.node.schedule.after(int(delay * 1000), "qq", record)
            self._fates[body] = Fate(self._moment, identity, due_ms, self.clock.monotonic() + delay)
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
                fate.due_ms, fate.due_seconds = None, self.clock.monotonic() + delay
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
        self.clock.advance(_STEPS[operation.amount % len(_STEPS)])

    async def _set_clock(self, operation: Operation) -> None:
        known, self._delays_are_known = self._delays_are_known, False
        self.clock.set_by((3600, -3600, 40, -86_400)[operation.which % 4])
        self.node.look_at_clock()
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

    async def _wait(self, operation: Operation) -> None:
        """Until everything is durable, and everything that was read from disk has arrived."""
        moment = self._moment
        self._store.on_durable(lambda: self._be_sure(moment))
        await self._breathe(operation)
        schedule = self.node.schedule
        assert schedule.size == sum(bucket.size for bucket in schedule.buckets())

    def _be_sure(self, moment: int) -> None:
        self._sure = max(self._sure, moment)

    def _end_step(self) -> None:
        super()._end_step()
        self._look_at_new()

    def _look_at_new(self) -> None:
        """What has come into the queue since the last look: none of it too early."""
        log = self.node.queues["q"].log
        for seq in range(self._seen, log.sealed):
            record = log.find(seq)
            if record is not None:
                try:
                    self._check_time(self._fates[text_of(record)])
                except AssertionError as error:
                    self.broken = error  # for the disk may crash at the same time
                    raise
        self._seen = log.sealed

    def _check_time(self, fate: Fate) -> None:
        if fate.due_ms is not None:
            assert self.clock.now_ms() >= fate.due_ms, "it is early"
        elif self._delays_are_known:
            assert self.clock.monotonic() >= fate.due_seconds - 0.002, "it is early"
