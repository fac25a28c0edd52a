"""Plays every feature of queues at once over a store on a simulated disk, through crashes and starts.

See letters.py for the model, and peers.py for what consumers look at.
"""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import trio

from segue.broker.deduplication.acceptance import RecallPendingError
from segue.broker.deduplication.identity import DeduplicationId
from segue.broker.errors import LimitReachedError
from segue.broker.jobs import JobKind, JobOrder, JobState
from segue.broker.message import encode, prefix
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from segue.broker.schedule.scheduled_message import decode_scheduled
from segue.broker.selector import Selector, compile_selector
from tests.property.broker.broker_lives import BrokerLives
from tests.property.broker.mixture.draws import NAMES
from tests.property.broker.mixture.letters import SCHEDULE, Letter, Letters, Spot, body_of, class_of
from tests.property.broker.mixture.peers import Peer, ready_in_memory
from tests.property.broker.owed import level_tag, owed_by, queue_of
from tests.property.operation import Operation
from tests.unit.broker.actors import FakeOutput

__all__ = ["Mixture"]

_STEPS_MS = (1, 30, 100, 500, 1100, 61_000)
_LIVES_MS = (0, 0, 0, 0, 300, 2000)
_DELAYS_MS = (0, 0, 0, 0, 50, 900)
_HEADERS = (
    b"",
    b"colour:red\n",
    b"colour:blue\n",
    b"JMSXGroupID:g\n",
    b"JMSXGroupID:h\n",
    b"JMSXGroupID:h\ncolour:red\n",
)
_PRIORITIES = (b"", b"", b"priority:0\n", b"priority:9\n")
_SELECTORS = (None, None, None, compile_selector("colour = 'red'"), compile_selector("colour = 'blue'"))
_PEERS_MAX = 6
_IDS = 6


class Mixture(BrokerLives):
    """A broker and its model."""

    def __init__(self, root: Path, options: dict[str, tuple[QueueOptions, QueueOptions]]) -> None:
        super().__init__(root)
        self._queue_options = options
        self.letters = Letters({name: [options[name][0]] for name in NAMES})
        self._serial = 0
        self._peers: list[Peer] = []
        self._ids: dict[tuple[str, str], tuple[str, int, int]] = {}

    # -- starts and ends

    async def _begin(self) -> None:
        """Look at what is owed before anything can happen to it, and go on from there."""
        self._peers = []
        confirmed = self.letters.confirmed
        self.letters.census(await self._owed(), self.clock.now_ms(), crashed=True)
        known = self.letters.known
        self._ids = {key: one for key, one in self._ids.items() if one[2] <= confirmed or one[0] in known}
        self._start_node()
        for name in NAMES:
            queue = self.node.declare_queue(name, options=self._queue_options[name][0])
            self.letters.options[name].append(queue.options)
        await self._wait(Operation("wait"))

    async def _stop(self) -> None:
        for job in self.node.jobs:
            job.scope.cancel()
        for peer in list(self._peers):
            self._go(peer)
        await super()._stop()

    async def _end(self) -> None:
        """Somebody takes all that is left, and then there is nothing anywhere."""
        await self._begin()
        for _ in range(40):
            self.clock.advance(1)
            for name in NAMES:
                self._join(name, None, 500)
            await self._due(Operation("due"))
            self.node.sweep()
            await self._breathe(Operation(""))
            for peer in list(self._peers):
                self._settle(peer, list(peer.held))
                self._go(peer)
            await self._wait(Operation("wait"))
            if not self.letters.known:
                return
        raise AssertionError(f"nobody is given {self.letters.known}")

    # -- looking

    async def _owed(self) -> list[tuple[Spot, bytes]]:
        """Where everything is that is owed, and its record; what goes while that is read is not among it."""
        found: list[tuple[Spot, bytes]] = []
        for log in list(self._store.logs.values()):
            kind = log.definition.get("kind")
            if kind in ("queue", "level"):
                owed = await owed_by(log.cursors[0])
                found += [((queue_of(log), level_tag(log) + seq), record) for seq, record in owed.items()]
            elif kind in ("delayed", "overdue"):
                owed = await owed_by(log.cursors[0])
                found += [((SCHEDULE, log.id << 32 | n), decode_scheduled(r).record) for n, r in owed.items()]
        return found

    def _check(self) -> None:
        """Numbers add up, and the look-ahead is as its module says."""
        for queue in self._queues:
            found, dispatcher = queue.statistics(), queue.dispatcher
            condemned = len(queue.cursor.condemned)
            assert found.published == found.settled + found.ready + found.in_flight + condemned
            mine = [peer for peer in self._peers if peer.queue is queue]
            assert found.in_flight == sum(len(peer.held) + len(peer.in_transaction) for peer in mine)
            assert found.returned >= 0
            if dispatcher.look_ahead is not None:
                self._check_look_ahead(queue)
        ahead = [queue.dispatcher.look_ahead for queue in self._queues]
        assert self.node.pressure.look_ahead_bytes == sum(one.bytes for one in ahead if one is not None)

    def _check_look_ahead(self, queue: Queue) -> None:
        look_ahead, returned = queue.dispatcher.look_ahead, queue.cursor.returned
        assert look_ahead is not None
        for held in look_ahead.held.values():
            assert returned[held.seq] == held.deliveries
        for group in look_ahead.groups.values():
            assert (group.owner is not None) is (group.out > 0)
            assert group.out or any(place in look_ahead.held for place in group.waiting), "nothing of it is there"

    # -- verbs

    @property
    def _queues(self) -> list[Queue]:
        return [self.node.queues[name] for name in NAMES]

    def _end_step(self) -> None:
        super()._end_step()
        if self.broken is not None:
            raise self.broken

    def _peer(self, operation: Operation, *, in_transaction: bool = False) -> Peer | None:
        """One that holds something, if there is such a one."""
        peers = [peer for peer in self._peers if (peer.in_transaction if in_transaction else peer.held)]
        return peers[operation.which % len(peers)] if peers else None

    def _choose(self, peer: Peer, operation: Operation) -> list[int]:
        return random.Random(operation.seed).sample(sorted(peer.held), min(operation.amount, len(peer.held)))

    def _settle(self, peer: Peer, seqs: list[int]) -> None:
        moment = self.letters.next_moment()
        for seq in seqs:
            self.letters.settled(peer.held.pop(seq), moment)
        peer.subscription.consumer.acknowledge_all(seqs)
        peer.subscription.consumer.settle()

    def _join(self, name: str, selector: Selector | None, prefetch: int) -> None:
        session = self.node.open_session("", "", "", FakeOutput())
        peer = Peer(self, session, self.node.queues[name], selector)
        self._peers.append(peer)
        peer.subscription = session.subscribe_queue(
            peer.queue, peer, prefetch=prefetch, settles=True, selector=selector
        )

    def _go(self, peer: Peer) -> None:
        self._peers.remove(peer)
        for body in (*peer.held.values(), *peer.in_transaction.values()):
            self.letters.returned(body)
        peer.session.close()

    def _new(self, name: str, draw: random.Random) -> tuple[str, bytes, Letter]:
        """A message of its own: body, record, model."""
        self._serial += 1
        body, now_ms = f"m{self._serial}", self.clock.now_ms()
        lives_ms, delay_ms = draw.choice(_LIVES_MS), draw.choice(_DELAYS_MS)
        expires_ms = now_ms + delay_ms + lives_ms if lives_ms else 0
        said, size = draw.choice(_HEADERS) + draw.choice(_PRIORITIES), draw.choice((10, 300, 2000))
        headers = b"destination:/queue/a\n%bcontent-length:%d\n\n" % (said, size)
        record = encode(*prefix(now_ms, headers, expires_ms=expires_ms), body.encode().ljust(size, b"."))
        due_ms = now_ms + delay_ms if delay_ms else 0
        group = class_of(record)[0]
        return body, record, Letter(self.letters.next_moment(), name, due_ms, expires_ms, group, now_ms)

    # -- operations

    async def _publish(self, operation: Operation) -> None:
        queue, draw = self.node.queues[NAMES[operation.which % 3]], random.Random(operation.seed)
        for _ in range(operation.amount):
            body, record, letter = self._new(queue.name, draw)
            try:
                if letter.due_ms:
                    self.node.schedule.after(letter.due_ms - self.clock.now_ms(), f"q{queue.name}", record)
                else:
                    queue.note(record)
                    queue.publish(record)
            except LimitReachedError:
                break
            self.letters.known[body] = letter
        self._store.want()

    async def _publish_once(self, operation: Operation) -> None:
        """A publisher with ids, some of which it has used before."""
        queue, draw = self.node.queues[NAMES[operation.which % 3]], random.Random(operation.seed)
        for _ in range(operation.amount % 4 + 1):
            identity = str(draw.randrange(_IDS))
            body, record, letter = self._new(queue.name, draw)
            letter.due_ms = 0
            queue.note(record)
            try:
                answer = queue.publish_once(DeduplicationId(identity), record)
            except LimitReachedError:
                continue
            except RecallPendingError:
                return
            before = self._ids.get((queue.name, identity))
            if answer.repeat:
                assert before is not None, "nobody has sent it before"
                continue
            assert before is None or self.clock.now_ms() - before[1] >= 600_000, "it is there twice"
            self._ids[queue.name, identity] = body, self.clock.now_ms(), letter.moment
            self.letters.known[body] = letter
        self._store.want()

    async def _subscribe(self, operation: Operation) -> None:
        if len(self._peers) < _PEERS_MAX:
            selector = _SELECTORS[operation.seed % len(_SELECTORS)]
            self._join(NAMES[operation.which % 3], selector, operation.amount)
            await self._breathe(operation)

    async def _leave(self, operation: Operation) -> None:
        if self._peers:
            self._go(self._peers[operation.which % len(self._peers)])

    async def _acknowledge(self, operation: Operation) -> None:
        if (peer := self._peer(operation)) is not None:
            self._settle(peer, self._choose(peer, operation))

    async def _give_back(self, operation: Operation) -> None:
        if (peer := self._peer(operation)) is not None:
            seqs = self._choose(peer, operation)
            for seq in seqs:
                self.letters.returned(peer.held.pop(seq))
            peer.session.give_back(peer.subscription.consumer, seqs)

    async def _refuse(self, operation: Operation) -> None:
        if (peer := self._peer(operation)) is not None:
            seqs = self._choose(peer, operation)
            for seq in seqs:
                self.letters.condemned(peer.held.pop(seq))
            peer.session.refuse(peer.subscription.consumer, seqs)

    async def _hold(self, operation: Operation) -> None:
        """A transaction takes some acknowledgements, some returns, and a message; it stays open."""
        peer = self._peer(operation)
        if peer is None or peer.in_transaction:
            return
        peer.session.begin("t")
        transaction, consumer = peer.session.transaction("t"), peer.subscription.consumer
        seqs = self._choose(peer, operation)
        peer.in_transaction = {seq: peer.held.pop(seq) for seq in seqs}
        peer.settling = {peer.in_transaction[seq]: "settled" for seq in seqs[::2]}
        transaction.acknowledge(consumer, seqs[::2])
        transaction.reject(consumer, seqs[1::2])

    async def _commit(self, operation: Operation) -> None:
        if (peer := self._peer(operation, in_transaction=True)) is not None:
            moment = self.letters.next_moment()
            for body in peer.in_transaction.values():
                if body in peer.settling:
                    self.letters.settled(body, moment)
                else:
                    self.letters.returned(body)
            peer.in_transaction = {}
            peer.session.commit("t")

    async def _abort(self, operation: Operation) -> None:
        if (peer := self._peer(operation, in_transaction=True)) is not None:
            peer.held |= peer.in_transaction
            peer.in_transaction = {}
            peer.session.abort("t")

    async def _purge(self, operation: Operation) -> None:
        if operation.seed % 2:
            queue = self.node.queues[NAMES[operation.which % 3]]
            owed = dict(await self._owed())
            in_memory = {(queue.name, number): record for number, record in ready_in_memory(queue)}
            ready = queue.cursor.ready
            for (name, seq), record in {**owed, **in_memory}.items():
                if name == queue.name and queue.cursor.is_ready(seq):
                    self.letters.known[body_of(record)].excused = True
            assert queue.purge() == ready

    async def _move(self, operation: Operation) -> None:
        """A job: all, or the red ones; waited for, or not."""
        source = NAMES[operation.which % 3]
        to = NAMES[(operation.which + 1 + operation.seed % 2) % 3]
        only = ("", "colour = 'red'")[operation.seed // 2 % 2]
        kind = JobKind.MOVE if operation.seed % 5 else JobKind.REDRIVE
        running = [job for job in self.node.jobs if job.state is JobState.RUNNING]
        if len(running) < 3:
            order = JobOrder(kind, source, to if kind is JobKind.MOVE else "", only, 0, operation.amount * 2)
            self.node.jobs.start(order)
            self.letters.moves |= {(source, name) for name in ((to,) if kind is JobKind.MOVE else NAMES)}
            for _ in range(operation.amount):
                await trio.lowlevel.checkpoint()
                self._end_step()

    async def _policy(self, operation: Operation) -> None:
        name = NAMES[operation.which % 3]
        options = self._queue_options[name][operation.seed % 2]
        self.letters.options[name].append(options)
        self.node.queues[name].apply(options)
        for letter in self.letters.known.values():
            spent = max(letter.deliveries.values(), default=0)
            letter.condemned |= 0 < options.delivery_limit <= spent

    async def _pass_time(self, operation: Operation) -> None:
        self.clock.advance(_STEPS_MS[operation.amount % len(_STEPS_MS)] / 1000)

    async def _due(self, operation: Operation) -> None:
        """The schedule does what there is to do."""
        for _ in range(20):
            await self._breathe(operation)
            if self.node.schedule.step():
                break
        self._store.want()

    async def _sweep(self, operation: Operation) -> None:
        self.node.sweep()

    async def _wait(self, operation: Operation) -> None:
        """Until everything is durable, and everything that was read from disk has arrived."""
        moment = self.letters.next_moment()
        self._store.on_durable(partial(self.letters.confirm, moment))
        await self._breathe(operation)
        self._check()
        if not any(job.state is JobState.RUNNING for job in self.node.jobs):
            version = self._store.batch  # what is read takes no part in what happens meanwhile
            found = await self._owed()
            if version is self._store.batch and not self._store.batch:
                self.letters.census(found, self.clock.now_ms(), crashed=False)
                self.letters.moves.clear()
