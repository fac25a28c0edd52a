"""Plays every feature of queues at once over a store on a simulated disk, through crashes and starts.

See letters.py for the model. Deliveries are held against it and against the queue itself: what is still ready there and
of the same class must not have been due before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio
from hypothesis import strategies as st

from segue.broker.deduplication.acceptance import RecallPendingError
from segue.broker.deduplication.identity import DeduplicationId
from segue.broker.errors import LimitReachedError
from segue.broker.headers import Headers
from segue.broker.jobs import JobKind, JobOrder, JobState
from segue.broker.message import encode, prefix
from segue.broker.node import Node
from segue.broker.queue import Queue
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.broker.schedule.scheduled_message import decode_scheduled
from segue.broker.selector import Selector, compile_selector
from segue.broker.session import Session, Subscription
from segue.broker.settings import Settings
from segue.broker.users import Users
from segue.storage.api import CONDEMNED, Cursor, Log, Store
from tests.faults.storage.driver import OPTIONS, run_store, until
from tests.faults.storage.simulated_disk import SimulatedDisk
from tests.helpers.recorded_log import RecordedLog
from tests.property.broker.letters import SCHEDULE, Letter, Letters, Spot, body_of, class_of
from tests.property.storage.world import Operation
from tests.unit.broker.actors import FakeOutput
from tests.unit.broker.memory_store import FakeClock

__all__ = ["Mixture", "mixture_operations", "mixture_options"]

NAMES = ("a", "b", "c")
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
_TAG_BITS = 48


def mixture_operations(max_size: int) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations: what clients and operators do, what time and the disk do, and ends."""
    clients = st.sampled_from(["publish", "publish", "subscribe", "subscribe", "acknowledge", "give_back", "refuse"])
    rarer = st.sampled_from(["publish_once", "leave", "hold", "hold", "commit", "abort"])
    operators = st.sampled_from(["purge", "move", "move", "policy"])
    time = st.sampled_from(["pass_time", "due", "sweep"])
    disk = st.sampled_from(["checkpoint", "wait", "wait", "breathe"])
    end = st.sampled_from(["crash", "crash_soon", "checkpoint_and_crash", "stop"])
    operation = st.builds(
        Operation,
        st.one_of(clients, clients, clients, rarer, rarer, operators, time, disk, end),
        st.integers(0, 11),
        st.integers(1, 12),
        st.sampled_from(["synced", "posix", "journal"]),
        st.integers(0, 1000),
    )
    begin = [Operation("publish", which, 8, seed=which) for which in range(3)] + [Operation("wait")]
    return st.lists(operation, min_size=max_size // 3, max_size=max_size).map(lambda rest: begin + rest)


def mixture_options() -> st.SearchStrategy[dict[str, tuple[QueueOptions, QueueOptions]]]:
    """Options of each queue, and those that a policy gives it. A queue is not its own dead-letter queue."""

    def of(name: str) -> st.SearchStrategy[QueueOptions]:
        others = [other for other in NAMES if other != name]
        return st.builds(
            QueueOptions,
            dead_letter=st.sampled_from([*others, *others, ""]),
            delivery_limit=st.sampled_from([0, 0, 1, 3]),
            message_ttl_ms=st.sampled_from([None, None, None, 1500]),
            messages_max=st.sampled_from([None, None, None, 9]),
            overflow=st.sampled_from([None, REFUSE]),
            priority_max=st.sampled_from([0, 0, 3, 9]),
            single_active=st.sampled_from([False, False, True]),
        )

    return st.fixed_dictionaries({name: st.tuples(of(name), of(name)) for name in NAMES})


@dataclass(eq=False)
class Peer:
    """A consumer in a session of its own, which looks at what it is given. `held`: number → body."""

    world: Mixture
    session: Session
    queue: Queue
    selector: Selector | None
    held: dict[int, str] = field(default_factory=dict)
    in_transaction: dict[int, str] = field(default_factory=dict)
    settling: dict[str, str] = field(default_factory=dict)
    blocked: bool = False
    subscription: Subscription = field(init=False)

    def deliver(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
        for seq, record in zip(seqs, records, strict=True):
            self._take(seq, record, 1, redelivered=redelivered)
        self._look_before(dict(zip(seqs, records, strict=True)))

    def deliver_again(self, seq: int, record: bytes, deliveries: int) -> None:
        self._take(seq, record, deliveries, redelivered=True)
        self._look_before({seq: record})

    def cancelled(self, reason: str) -> None:
        raise AssertionError(reason)

    def failed(self, error: Exception) -> None:
        self.world.broken = self.world.broken or error

    def _take(self, seq: int, record: bytes, deliveries: int, *, redelivered: bool) -> None:
        letters, now_ms = self.world.letters, self.world.clock.now_ms()
        assert self.selector is None or self.selector.matches(Headers(record)), "nobody has asked for it"
        spot = self.queue.name, seq
        self.held[seq] = letters.delivered(self, spot, record, deliveries, now_ms, redelivered=redelivered)

    def _look_before(self, taken: dict[int, bytes]) -> None:
        """Nothing of the same class that is ready goes before what was just taken."""
        ready = list(_ready_in_memory(self.queue))
        expiry, now_ms = self.queue.dispatcher.expiry, self.world.clock.now_ms()
        for seq, record in taken.items():
            mine = self.queue.cursor.place(seq)
            for other, waits in ready:
                if class_of(waits) == class_of(record) and (expiry is None or expiry.deadline(waits) > now_ms):
                    assert self.queue.cursor.place(other) > mine, f"{body_of(record)} overtook {body_of(waits)}"


class Mixture:
    """A broker, its disk and its model, from life to life.

    Attributes:
        broken: what a consumer has found wrong.
    """

    def __init__(self, root: Path, options: dict[str, tuple[QueueOptions, QueueOptions]]) -> None:
        self._root = root
        self._options = options
        self._lives = 0
        (root / "0").mkdir(parents=True)
        self.disk = SimulatedDisk(root / "0")
        self.letters = Letters({name: [options[name][0]] for name in NAMES})
        self.clock = FakeClock()
        self.broken: Exception | None = None
        self._serial = 0
        self._peers: list[Peer] = []
        self._ids: dict[tuple[str, str], tuple[str, int, int]] = {}
        self._dying = Operation("crash")
        self._fresh = True

    def play(self, steps: list[Operation]) -> None:
        """Do everything, life after life, and look at each start and at the end."""
        rest = iter([*steps, Operation("stop")])
        for _ in range(len(steps) + 2):
            ending = run_store(self.disk, lambda store: self._live(store, rest), OPTIONS)
            if self.broken is not None:
                raise self.broken
            if ending == "end":
                break
            if ending is None:
                self._lives += 1
                folder = self._root / str(self._lives)
                self.disk = self.disk.materialise(folder, self._dying.crash, random.Random(self._dying.seed))
        run_store(self.disk, self._drain, OPTIONS)
        if self.broken is not None:
            raise self.broken

    async def _live(self, store: Store, rest: Iterator[Operation]) -> str:
        await self._begin(store)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.node.jobs.serve)
            ending = await self._work(rest)
            nursery.cancel_scope.cancel()
        return ending

    async def _work(self, rest: Iterator[Operation]) -> str:
        for operation in rest:
            if operation.what in ("crash", "crash_soon", "checkpoint_and_crash"):
                self._dying = operation
                self.disk.crash_at = len(self.disk.calls) + (0 if operation.what == "crash" else operation.amount)
                self.disk.commit_lands = operation.seed % 2 == 0
                if operation.what == "checkpoint_and_crash":
                    await self._store.checkpoint()
            elif operation.what == "stop":
                await self._stop()
                break
            else:
                await getattr(self, f"_{operation.what}")(operation)
                if operation.seed % 3 == 0:
                    await self._wait(operation)
            self._end_step()
        return "stop" if rest.__length_hint__() else "end"  # type: ignore[attr-defined]

    # -- starts and ends

    async def _begin(self, store: Store) -> None:
        """Look at what is owed before anything can happen to it, and go on from there."""
        self._store = store
        self._peers = []
        confirmed = self.letters.confirmed
        self.letters.census(await self._owed(), self.clock.now_ms(), crashed=True)
        known = self.letters.known
        self._ids = {key: one for key, one in self._ids.items() if one[2] <= confirmed or one[0] in known}
        self.node = Node(store, Settings(), self.clock, RecordedLog(), Users(Settings().users))
        for name in NAMES:
            queue = self.node.declare_queue(name, options=self._options[name][0])
            self.letters.options[name].append(queue.options)
        self._peers = []
        await self._wait(Operation("wait"))

    async def _stop(self) -> None:
        for job in self.node.jobs:
            job.scope.cancel()
        for peer in list(self._peers):
            self._go(peer)
        await self._wait(Operation("wait"))

    async def _drain(self, store: Store) -> None:
        """In the end somebody takes all that is left, and then there is nothing anywhere."""
        await self._begin(store)
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
                name = str(log.definition.get("name") or log.definition["queue"])
                tag = (log.definition["level"] + 1) << _TAG_BITS if kind == "level" else 0
                found += [((name, tag + seq), record) for seq, record in await _owed_of(log)]
            elif kind in ("delayed", "overdue"):
                found += [
                    ((SCHEDULE, log.id << 32 | seq), decode_scheduled(r).record) for seq, r in await _owed_of(log)
                ]
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
        for place, held in look_ahead.held.items():
            assert returned[queue.cursor.number_at(place)] == held.deliveries
        for group in look_ahead.groups.values():
            assert (group.owner is not None) is (group.out > 0)
            assert group.out or any(place in look_ahead.held for place in group.waiting), "nothing of it is there"

    # -- verbs

    @property
    def _queues(self) -> list[Queue]:
        return [self.node.queues[name] for name in NAMES]

    @property
    def _cursors(self) -> list[Cursor]:
        return list(self._store.cursors.values())

    def _end_step(self) -> None:
        self.node.end_step()
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
            ready = queue.cursor.ready
            for (name, seq), record in {**owed, **_spots_in_memory(queue)}.items():
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
        options = self._options[name][operation.seed % 2]
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

    async def _checkpoint(self, operation: Operation) -> None:
        await self._store.checkpoint()

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

    async def _breathe(self, operation: Operation) -> None:
        quiet = 0
        while quiet < 2:
            await self._store.next_commit()
            await until(lambda: not any(cursor.window.reading or cursor.fetching for cursor in self._cursors))
            more = self.node._more.is_set()
            if more:
                self.node._more = trio.Event()
                self.node._sweep_some()
            self._end_step()
            quiet = 0 if more or not self._store.idle else quiet + 1


async def _owed_of(log: Log) -> list[tuple[int, bytes]]:
    """Number and record of everything that is owed of a log."""
    (cursor,) = log.cursors
    unread = [seq for seq in range(cursor.next, log.head) if cursor.gaps is None or seq not in cursor.gaps]
    owed = sorted({*cursor.holes(), *unread})
    records: dict[int, bytes] = {}
    seq = 1
    while seq < log.ram_first and any(log.find(seq) is None for seq in owed):
        part = await log.store.reader.read_range(log, seq, log.ram_first, 4096)
        records |= {first + n: data for first, some in part.runs for n, data in enumerate(some)}
        seq = part.upto
    found = [(seq, log.find(seq) or records.get(seq)) for seq in owed]
    return [(seq, record) for seq, record in found if record is not None]


def _spots_in_memory(queue: Queue) -> dict[Spot, bytes]:
    return {(queue.name, number): record for number, record in _ready_in_memory(queue)}


def _ready_in_memory(queue: Queue) -> Iterator[tuple[int, bytes]]:
    """Number and record of what could go out now, but for what lies on disk."""
    for log in queue.logs:
        (cursor,) = log.cursors
        tag = (log.definition["level"] + 1) << _TAG_BITS if log.definition["kind"] == "level" else 0
        returned = [seq for seq, standing in cursor.returned.items() if standing < CONDEMNED]
        for seq in (*returned, *range(cursor.next, log.durable)):
            if cursor.is_ready(seq) and (record := log.find(seq)) is not None:
                yield tag + seq, record
