"""Messages that die: they expire, are refused, come back too often, and are redriven; through crashes and starts.

See fates.py for the model.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import strategies as st

from segue.broker.browse import Browser
from segue.broker.dead_letters import Reason
from segue.broker.errors import LimitReachedError
from segue.broker.jobs import Job, JobKind, JobOrder
from segue.broker.jobs.redrive import origin_of
from segue.broker.jobs.transfer import Transfer
from segue.broker.levels import SEQ_BITS
from segue.broker.message import encode, prefix
from segue.broker.queue import Queue
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.broker.session import Session, Subscription
from tests.property.broker.broker_lives import BrokerLives
from tests.property.broker.fates import Fates
from tests.property.broker.owed import level_tag, owed_by, queue_of
from tests.property.broker.takers import Taken, Taker
from tests.property.operation import Operation, operation_lists
from tests.unit.broker.actors import FakeOutput

__all__ = ["Deaths", "death_operations", "queue_options"]

NAMES = ("a", "b", "c")
_LIVES_MS = (None, None, 40, 300, 2000)
_STEPS_MS = (1, 30, 100, 500, 1100, 61_000)
_PEERS_MAX = 4


def death_operations(max_size: int) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations: what clients do, what time and the disk do, and ends."""
    clients = ["publish", "publish", "subscribe", "acknowledge", "give_back", "refuse", "refuse"]
    rarer = ["leave", "transaction", "transaction", "redrive", "redrive", "purge", "browse"]
    time = ["pass_time", "pass_time", "sweep", "deep_sweep"]
    disk = ["checkpoint", "wait", "wait", "breathe", "flush"]
    end = ["crash", "crash", "crash_soon", "checkpoint_and_crash", "stop"]
    begin = [Operation("publish", which, 8, seed=which) for which in range(3)] + [Operation("wait")]
    return operation_lists(clients, clients, clients, rarer, time, disk, end, begin=begin, max_size=max_size)


def queue_options() -> st.SearchStrategy[dict[str, QueueOptions]]:
    """Options of each queue; circles are allowed, a queue that is its own dead-letter queue is not."""

    def of(name: str) -> st.SearchStrategy[QueueOptions]:
        others = [other for other in NAMES if other != name]
        return st.builds(
            QueueOptions,
            st.sampled_from([*others, *others, ""]),
            st.sampled_from([0, 1, 2, 3]),
            st.sampled_from([None, None, 100, 1500]),
            st.sampled_from([None, None, 12]),
            st.sampled_from([None, None, 6000]),
            st.just(REFUSE),
            priority_max=st.sampled_from([0, 0, 3, 9]),
        )

    return st.fixed_dictionaries({name: of(name) for name in NAMES})


@dataclass
class Peer:
    """A consumer in a session of its own; `held`: number → body."""

    session: Session
    subscription: Subscription
    sink: Taker
    queue: str
    held: dict[int, str] = field(default_factory=dict)


@dataclass
class Commit:
    """A transaction whose fate is not known yet."""

    moment: int
    sent: str
    settled: list[str]


class Deaths(BrokerLives):
    """A broker and its model."""

    def __init__(self, root: Path, options: dict[str, QueueOptions]) -> None:
        super().__init__(root)
        self._queue_options = options
        self.fates = Fates(options)
        self._serial = 0
        self._peers: list[Peer] = []
        self._first: dict[tuple[str, int], int] = {}
        self._taken: list[Taken] = []
        self._commits: list[Commit] = []

    # -- starts and ends

    async def _begin(self) -> None:
        """Look at what is owed before anything can happen to it, and go on from there."""
        self._take()  # what the crash did not let us look at
        self._peers = []
        self._first = {}
        found = await self._owed()
        before = self.fates.confirmed
        ended = {body for body, fate in self.fates.known.items() if fate.ended is not None or fate.purged}
        self.fates.recovered(found, self.clock.now_ms())
        self._check_commits(before, ended)
        self._start_node()
        for name in NAMES:
            self.node.declare_queue(name, options=self._queue_options[name])
        for which in (self._lives, self._lives + 1):  # clients that come back by themselves
            await self._subscribe(Operation("subscribe", which, 4))
        await self._wait(Operation("wait"))

    async def _owed(self) -> dict[str, dict[int, tuple[int, bytes]]]:
        """Queue → number → (standing, record) of everything that is owed."""
        found: dict[str, dict[int, tuple[int, bytes]]] = {}
        for log in self._store.logs.values():
            (cursor,) = log.cursors
            standings, tag = cursor.holes(), level_tag(log)
            owed = {tag + seq: (standings.get(seq, 0), data) for seq, data in (await owed_by(cursor)).items()}
            found.setdefault(queue_of(log), {}).update(owed)
        return found

    def _check_commits(self, confirmed: int, ended: set[str]) -> None:
        """A transaction is all there or not at all: where what it sent is there, what it settled is not."""
        known = self.fates.known
        for commit in self._commits:
            landed = commit.sent in known
            if commit.moment <= confirmed:
                assert landed or commit.sent in ended or commit.sent in self.fates.gone
            if landed:
                assert not any(body in known for body in commit.settled), "a part of a transaction is missing"
        self._commits.clear()

    async def _stop(self) -> None:
        for peer in list(self._peers):
            self._go(peer)
        await super()._stop()

    async def _end(self) -> None:
        """Somebody takes all that is left, and then there is nothing anywhere."""
        await self._begin()
        for _ in range(40):
            for name in NAMES:
                await self._subscribe(Operation("", NAMES.index(name), 500))
            self.node.sweep()
            await self._breathe(Operation(""))
            for peer in list(self._peers):
                self._settle(peer, list(peer.held))
                self._go(peer)
            await self._wait(Operation("wait"))
            if not any(queue.cursor.waiting or queue.cursor.returned for queue in self._queues):
                break
        await self._wait(Operation("wait"))
        left = {queue.name: queue.cursor.holes() for queue in self._queues}
        assert await self._owed() == {name: {} for name in NAMES}, left
        now_ms = self.clock.now_ms()
        for body, fate in self.fates.known.items():
            self.fates._check_absent(body, fate, now_ms)

    # -- verbs

    @property
    def _queues(self) -> list[Queue]:
        return [self.node.queues[name] for name in NAMES]

    def _end_step(self) -> None:
        super()._end_step()
        self._take()

    def _take(self) -> None:
        """Look at what consumers were given since the last look."""
        while self._taken:
            one = self._taken.pop(0)
            try:
                self._look_at(one)
            except AssertionError as error:
                self.broken = error  # for the disk may crash at the same time
                raise

    def _look_at(self, one: Taken) -> None:
        (peer,) = [peer for peer in self._peers if peer.sink is one.by]
        now_ms = self.clock.now_ms()
        peer.held[one.seq] = self.fates.delivered(peer.queue, one.record, one.deliveries, one.redelivered, now_ms)
        if one.deliveries == 1:
            of_level = peer.queue, one.seq >> SEQ_BITS
            assert one.seq > self._first.get(of_level, 0), "first deliveries rise"
            self._first[of_level] = one.seq

    def _peer(self, operation: Operation) -> Peer | None:
        """One that holds something, if there is such a one."""
        self._take()
        peers = [peer for peer in self._peers if peer.held] or self._peers
        return peers[operation.which % len(peers)] if peers else None

    def _choose(self, peer: Peer, operation: Operation) -> list[int]:
        return random.Random(operation.seed).sample(sorted(peer.held), min(operation.amount, len(peer.held)))

    def _settle(self, peer: Peer, seqs: list[int]) -> None:
        moment = self.fates.next_moment()
        for seq in seqs:
            self.fates.settled(peer.held.pop(seq), moment)
        peer.subscription.consumer.acknowledge_all(seqs)
        peer.subscription.consumer.settle()

    def _go(self, peer: Peer) -> None:
        self._take()
        moment = self.fates.next_moment()
        self._peers.remove(peer)
        for body in peer.held.values():
            self.fates.returned(body, moment)
        peer.session.close()

    def _text(self) -> str:
        self._serial += 1
        return f"m{self._serial}"

    def _record(self, body: str, lives_ms: int | None, operation: Operation) -> bytes:
        now_ms = self.clock.now_ms()
        expires_ms = 0 if lives_ms is None else now_ms + lives_ms
        size = (10, 300, 2000)[operation.seed % 3]
        said = (b"", b"priority:0\n", b"priority:9\n", b"", b"priority:2\n")[self._serial % 5]
        headers = b"destination:/queue/a\n%bcontent-length:%d\n\n" % (said, size)
        return encode(*prefix(now_ms, headers, expires_ms=expires_ms), body.encode().ljust(size, b"."))

    # -- operations

    async def _publish(self, operation: Operation) -> None:
        name = NAMES[operation.which % 3]
        queue, moment, now_ms = self.node.queues[name], self.fates.next_moment(), self.clock.now_ms()
        for number in range(operation.amount):
            lives_ms = _LIVES_MS[(operation.seed + number) % len(_LIVES_MS)]
            if lives_ms is not None:
                queue.note_expiring()
            body = self._text()
            try:
                queue.publish(self._record(body, lives_ms, operation))
            except LimitReachedError:
                break
            self.fates.publish(body, name, moment, now_ms, 0 if lives_ms is None else now_ms + lives_ms)
        self._store.want()

    async def _subscribe(self, operation: Operation) -> None:
        if len(self._peers) < _PEERS_MAX:
            name, session, sink = (
                NAMES[operation.which % 3],
                self.node.open_session("", "", "", FakeOutput()),
                Taker(self._taken, self.node.queues[NAMES[operation.which % 3]]),
            )
            subscription = session.subscribe_queue(
                self.node.queues[name], sink, prefetch=operation.amount * 2, settles=True
            )
            self._peers.append(Peer(session, subscription, sink, name))
            await self._breathe(operation)

    async def _leave(self, operation: Operation) -> None:
        if (peer := self._peer(operation)) is not None:
            self._go(peer)

    async def _acknowledge(self, operation: Operation) -> None:
        if (peer := self._peer(operation)) is not None:
            self._settle(peer, self._choose(peer, operation))

    async def _give_back(self, operation: Operation) -> None:
        if (peer := self._peer(operation)) is not None:
            moment, seqs = self.fates.next_moment(), self._choose(peer, operation)
            for seq in seqs:
                self.fates.returned(peer.held.pop(seq), moment)
            peer.session.give_back(peer.subscription.consumer, seqs)

    async def _refuse(self, operation: Operation) -> None:
        if (peer := self._peer(operation)) is not None:
            moment, seqs = self.fates.next_moment(), self._choose(peer, operation)
            for seq in seqs:
                self.fates.condemned(peer.held.pop(seq), Reason.REJECTED, moment)
            peer.session.refuse(peer.subscription.consumer, seqs)

    async def _transaction(self, operation: Operation) -> None:
        """A message is sent, and some are acknowledged, some refused, some returned; at once, or not at all."""
        peer = self._peer(operation)
        if peer is None:
            return
        consumer, seqs = peer.subscription.consumer, self._choose(peer, operation)
        settled, refused, rejected = seqs[::3], seqs[1::3], seqs[2::3]
        peer.session.begin("t")
        transaction = peer.session.transaction("t")
        transaction.acknowledge(consumer, settled)
        transaction.refuse(consumer, refused)
        transaction.reject(consumer, rejected)
        body, queue = self._text(), self.node.queues[NAMES[operation.seed % 3]]
        record = self._record(body, None, operation)
        transaction.send(queue, queue.publish, record)
        if operation.seed % 4 == 0:
            peer.session.abort("t")
            return
        try:
            queue.check_room(1, len(record))
        except LimitReachedError:
            with pytest.raises(LimitReachedError):
                peer.session.commit("t")
            peer.session.abort("t")
            return
        moment = self.fates.next_moment()
        bodies = [peer.held[seq] for seq in settled]
        self.fates.publish(body, queue.name, moment, self.clock.now_ms(), 0)
        self._commits.append(Commit(moment, body, bodies))
        for seq in settled:
            self.fates.settled(peer.held.pop(seq), moment)
        for seq in refused:
            self.fates.condemned(peer.held.pop(seq), Reason.REJECTED, moment)
        for seq in rejected:
            self.fates.returned(peer.held.pop(seq), moment)
        peer.session.commit("t")

    async def _redrive(self, operation: Operation) -> None:
        """A step of a job sends dead letters back to where each came from; of the first queue that has some."""
        for number in range(3):
            queue = self.node.queues[NAMES[(operation.which + number) % 3]]
            transfer = Transfer(self.node, Job(1, JobOrder(JobKind.REDRIVE, queue.name), 0))
            window = await transfer._browser.chunk(20_000)
            if any(origin_of(record) for _, record in window):
                self._send_back(transfer, queue, window, operation.amount)
                break

    def _send_back(self, transfer: Transfer, queue: Queue, window: list[tuple[int, bytes]], most: int) -> None:
        self._take()
        moment, now_ms, is_ready = self.fates.next_moment(), self.clock.now_ms(), queue.cursor.is_ready
        ready = [(seq, record) for seq, record in window if is_ready(seq)]
        transfer._step(window, 0, most)
        for seq, record in ready:
            if not is_ready(seq):
                self.fates.sent_back(queue.name, record, moment, now_ms)
        self._store.want()

    async def _purge(self, operation: Operation) -> None:
        name = NAMES[operation.which % 3]
        queue = self.node.queues[name]
        ready, condemned = queue.cursor.ready, list(queue.cursor.condemned)
        assert queue.purge() == ready
        assert sorted(queue.cursor.condemned) == sorted(condemned), "they are on their way"
        for log in queue.logs:
            tag = (log.definition["level"] + 1) << SEQ_BITS if log is not queue.log else 0
            self._first[name, tag >> SEQ_BITS] = tag + log.durable - 1
        for fate in self.fates.known.values():
            fate.purged |= not fate.out

    async def _browse(self, operation: Operation) -> None:
        queue = self.node.queues[NAMES[operation.which % 3]]
        browser, now_ms, condemned = Browser(queue), self.clock.now_ms(), set(queue.cursor.condemned)
        while chunk := await browser.chunk(2000):
            for seq, record in chunk:
                assert seq not in condemned
                assert queue.dispatcher.expiry is None or queue.dispatcher.expiry.deadline(record) > now_ms

    async def _pass_time(self, operation: Operation) -> None:
        self._take()
        self.clock.advance(_STEPS_MS[operation.amount % len(_STEPS_MS)] / 1000)

    async def _sweep(self, operation: Operation) -> None:
        self.node.sweep()

    async def _flush(self, operation: Operation) -> None:
        """Somebody waits, but the world goes on."""
        self._confirm_later()
        self.node.end_step()

    def _confirm_later(self) -> None:
        moment = self.fates.next_moment()
        self._store.on_durable(lambda: self.fates.confirm(moment))

    async def _wait(self, operation: Operation) -> None:
        """Until everything is durable, and everything that was read from disk has arrived."""
        self._confirm_later()
        await self._breathe(operation)
        self._check_counts()

    def _check_counts(self) -> None:
        """Each message is in one state; what was moved was published once more."""
        for queue in self._queues:
            found = queue.statistics()
            waiting = found.ready + found.in_flight + len(queue.cursor.condemned)
            assert found.published == found.settled + waiting
            assert found.in_flight == sum(len(peer.held) for peer in self._peers if peer.queue == queue.name)
            target = self._queue_options[queue.options.dead_letter or "a"]
            bounded = target.messages_max or target.bytes_max
            assert not queue.cursor.condemned or bounded, "there is room for them"
            self._check_bytes(queue)
