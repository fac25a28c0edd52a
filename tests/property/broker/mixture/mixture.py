"""What clients and operators do in a mixture: every feature of queues with every other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial

import pytest
import trio

from segue.broker.deduplication import Acceptance, DeduplicationId, OnceSend, RecallPendingError
from segue.broker.errors import LimitReachedError
from segue.broker.headers import Headers
from segue.broker.jobs import JobKind, JobOrder, JobState
from segue.broker.queue import Queue
from tests.property.broker.mixture.draws import PLACES, QUEUES, SUBSCRIPTIONS, TOPIC, draw_record
from tests.property.broker.mixture.letters import Commit, Letter, class_of, copy_of
from tests.property.broker.mixture.mixed_queues import MixedQueues
from tests.property.broker.mixture.peers import Peer, ready_in_memory
from tests.property.operation import Operation

__all__ = ["Mixture"]

_STEPS_MS = (1, 30, 100, 500, 1100, 61_000)
_LIVES_MS = (0, 0, 0, 0, 300, 2000)
_DELAYS_MS = (0, 0, 0, 0, 50, 900)
_PUT_OFF_MS = (None, None, 0, 40, 700)
_PEERS_MAX = 8
_IDS = 20


@dataclass(frozen=True)
class New:
    """A message that is to be published, and the letters that it will be, by name."""

    record: bytes
    letters: dict[str, Letter]


class Mixture(MixedQueues):
    """See the module."""

    _serial = 0

    # -- publishers

    def _new(self, draw: random.Random, queue: str, delay_ms: int = 0) -> New:
        """A message to a queue."""
        body, now_ms = self._body(), self.clock.now_ms()
        lives_ms = draw.choice(_LIVES_MS)
        expires_ms = now_ms + delay_ms + lives_ms if lives_ms else 0
        record = draw_record(draw, body, now_ms, expires_ms)
        due_ms = now_ms + delay_ms if delay_ms else 0
        return New(record, {body: self._letter(queue, record, due_ms, expires_ms)})

    def _new_to_all(self, draw: random.Random) -> New:
        """A message to the topic: it goes to all subscriptions, and to the queue that is bound."""
        body, now_ms = self._body(), self.clock.now_ms()
        lives_ms = draw.choice(_LIVES_MS)
        expires_ms = now_ms + lives_ms if lives_ms else 0
        record = draw_record(draw, body, now_ms, expires_ms, b"fanned:yes\n")
        letters = {copy_of(body, ""): self._letter(QUEUES[-1], record, 0, expires_ms)}
        for name in SUBSCRIPTIONS:
            letter = letters[copy_of(body, name)] = self._letter(name, record, 0, expires_ms)
            selector = SUBSCRIPTIONS[name][1]
            letter.excused = selector is not None and not selector.matches(Headers(record))
        return New(record, letters)

    def _body(self) -> str:
        self._serial += 1
        return f"m{self._serial}"

    def _letter(self, home: str, record: bytes, due_ms: int, expires_ms: int) -> Letter:
        return Letter(self.letters.moment, home, due_ms, expires_ms, class_of(record)[0], self.clock.now_ms())

    async def _publish(self, operation: Operation) -> None:
        queue, draw = self._queue(operation), random.Random(operation.seed)
        self.letters.next_moment()
        for _ in range(operation.amount):
            delay_ms = draw.choice(_DELAYS_MS)
            new = self._new(draw, queue.name, delay_ms)
            try:
                if delay_ms:
                    self.node.schedule.after(delay_ms, f"q{queue.name}", new.record)
                else:
                    queue.note(new.record)
                    queue.publish(new.record)
            except LimitReachedError:
                break
            self.letters.known |= new.letters
        self._store.want()

    async def _announce(self, operation: Operation) -> None:
        """A publisher to the topic."""
        topic, draw = self.node.topic(TOPIC), random.Random(operation.seed)
        self.letters.next_moment()
        for _ in range(operation.amount % 4 + 1):
            new = self._new_to_all(draw)
            topic.note(new.record)
            topic.publish(new.record)
            self.letters.known |= new.letters
        self._store.want()

    async def _publish_once(self, operation: Operation) -> None:
        """A publisher with ids, some of which it has used before, and which waits for an answer."""
        queue, draw = self._queue(operation), random.Random(operation.seed)
        moment = self.letters.next_moment()
        for _ in range(operation.amount % 4 + 1):
            identity, new = str(draw.randrange(_IDS)), self._new(draw, queue.name)
            queue.note(new.record)
            try:
                answer = queue.publish_once(DeduplicationId(identity), new.record)
            except LimitReachedError:
                continue
            except RecallPendingError:
                break
            self.letters.known |= new.letters
            self._heard(queue.name, identity, new, answer)
        self._store.on_durable(partial(self.letters.confirm, moment))

    def _heard(self, queue: str, identity: str, new: New, answer: Acceptance) -> None:
        """A queue has answered to a message with an id; the model has it already."""
        (name,) = new.letters
        before, now_ms = self._ids.get((queue, identity)), self.clock.now_ms()
        if answer.repeat:
            assert before is not None, "nobody has sent it before"
            del self.letters.known[name]
            return
        assert before is None or self._may_be_forgotten(queue, before[1]), "it is there twice"
        self._ids[queue, identity] = name, now_ms, self.letters.moment

    def _may_be_forgotten(self, queue: str, accepted_ms: int) -> bool:
        options = self.letters.options[queue]
        window_ms = min(one.deduplication_window_ms or 600_000 for one in options)
        few = any(one.deduplication_ids_max is not None for one in options)
        return few or self.clock.now_ms() - accepted_ms >= window_ms

    # -- consumers

    def _peer(self, operation: Operation, *, in_transaction: bool = False) -> Peer | None:
        """One that holds something, or has a transaction; None if there is no such one."""
        peers = [one for one in self._peers if (one.session.has_transaction("t") if in_transaction else one.held)]
        return peers[operation.which % len(peers)] if peers else None

    def _choose(self, peer: Peer, operation: Operation) -> list[int]:
        return random.Random(operation.seed).sample(sorted(peer.held), min(operation.amount, len(peer.held)))

    async def _subscribe(self, operation: Operation) -> None:
        if len(self._peers) < _PEERS_MAX:
            place = PLACES[operation.which % len(PLACES)]
            self._join_as_drawn(place, operation.amount, random.Random(operation.seed))
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
            delay_ms = self._delay_ms(peer, operation)
            for seq in seqs:
                self.letters.given_back(peer.held.pop(seq), delay_ms, self.clock.now_ms())
            peer.session.give_back(peer.subscription.consumer, seqs, delay_ms)

    def _delay_ms(self, peer: Peer, operation: Operation) -> int | None:
        """For how long a consumer puts off what it returns; None for as long as the queue says."""
        if not isinstance(peer.source, Queue):
            return None  # there is nothing of the kind in a subscription
        peer.session.open_redelivery(peer.subscription.consumer)
        return _PUT_OFF_MS[operation.seed % len(_PUT_OFF_MS)]

    async def _refuse(self, operation: Operation) -> None:
        if (peer := self._peer(operation)) is not None:
            seqs = self._choose(peer, operation)
            for seq in seqs:
                self.letters.condemned(peer.held.pop(seq))
            peer.session.refuse(peer.subscription.consumer, seqs)

    # -- transactions

    async def _hold(self, operation: Operation) -> None:
        """A transaction takes some of what a consumer has, and messages; it stays open."""
        peer = self._peer(operation)
        if peer is None or peer.session.has_transaction("t"):
            return
        peer.session.begin("t")
        transaction, consumer = peer.session.transaction("t"), peer.subscription.consumer
        seqs = self._choose(peer, operation)
        peer.settling, peer.returning, peer.refusing = (
            {seq: peer.held.pop(seq) for seq in seqs[begin::3]} for begin in range(3)
        )
        transaction.acknowledge(consumer, list(peer.settling))
        peer.delay_ms = self._delay_ms(peer, operation)
        transaction.reject(consumer, list(peer.returning), peer.delay_ms)
        transaction.refuse(consumer, list(peer.refusing))
        self._hold_messages(peer, operation)

    def _hold_messages(self, peer: Peer, operation: Operation) -> None:
        transaction, draw = peer.session.transaction("t"), random.Random(operation.seed)
        for kind in draw.choices(("plain", "once", "topic"), k=draw.randrange(3)):
            if kind == "topic":
                topic, new = self.node.topic(TOPIC), self._new_to_all(draw)
                topic.note(new.record)
                transaction.send(topic, topic.publish, new.record)
            else:
                queue, identity = self.node.queues[draw.choice(QUEUES)], str(draw.randrange(_IDS))
                new = self._new(draw, queue.name)
                told = partial(self._heard, queue.name, identity, new)
                once = OnceSend(queue, DeduplicationId(identity), told)
                queue.note(new.record)
                transaction.send(queue, once if kind == "once" else queue.publish, new.record)
            peer.sending |= new.letters

    async def _commit(self, operation: Operation) -> None:
        """All of it happens; or nothing, as there is no room, or what is remembered has to be read first."""
        peer = self._peer(operation, in_transaction=True)
        if peer is None:
            return
        try:
            peer.session.transaction("t")._check_targets()
        except (LimitReachedError, RecallPendingError) as error:
            with pytest.raises(type(error)):
                peer.session.commit("t")
            await self._abort(operation)
            return
        moment, now_ms = self.letters.next_moment(), self.clock.now_ms()
        for letter in peer.sending.values():
            letter.moment = moment
        self.letters.known |= peer.sending
        for name in peer.settling.values():
            self.letters.settled(name, moment)
        for name in peer.returning.values():
            self.letters.given_back(name, peer.delay_ms, now_ms)
        for name in peer.refusing.values():
            self.letters.condemned(name)
        sending, settling = list(peer.sending), tuple(peer.settling.values())
        peer.end_transaction()
        peer.session.commit("t")
        sent = tuple(name for name in sending if name in self.letters.known)
        self.letters.commits.append(Commit(moment, sent, settling))
        self._store.on_durable(partial(self.letters.confirm, moment))

    async def _abort(self, operation: Operation) -> None:
        if (peer := self._peer(operation, in_transaction=True)) is not None:
            peer.held |= peer.in_transaction
            peer.end_transaction()
            peer.session.abort("t")

    # -- operators

    def _queue(self, operation: Operation) -> Queue:
        return self.node.queues[QUEUES[operation.which % len(QUEUES)]]

    async def _purge(self, operation: Operation) -> None:
        if operation.seed % 2:
            queue = self._queue(operation)
            owed = dict(await self._owed())
            in_memory = {(queue.name, number): record for number, record in ready_in_memory(queue)}
            ready = queue.cursor.ready
            for (name, seq), record in {**owed, **in_memory}.items():
                if name == queue.name and queue.cursor.is_ready(seq):
                    self.letters.known[self.letters.letter_in(name, record)].excused = True
            assert queue.purge() == ready

    async def _pause(self, operation: Operation) -> None:
        """A queue is paused, or goes on."""
        queue = self._queue(operation)
        if queue.dispatcher.paused:
            queue.resume()
        elif operation.seed % 4 == 0:
            queue.pause()

    async def _move(self, operation: Operation) -> None:
        """A job: all, or the red ones; waited for, or not.

        Copies of a message to the topic are not redriven: that takes away by what they are told apart.
        """
        source = self._queue(operation).name
        to = QUEUES[(operation.which + 1 + operation.seed % 2) % 3]
        kind = JobKind.MOVE if operation.seed % 5 else JobKind.REDRIVE
        wanted = ["colour = 'red'"] if operation.seed // 2 % 2 else []
        wanted += ["fanned IS NULL"] if kind is JobKind.REDRIVE else []
        running = [job for job in self.node.jobs if job.state is JobState.RUNNING]
        if len(running) < 3:
            only = " AND ".join(wanted)
            order = JobOrder(kind, source, to if kind is JobKind.MOVE else "", only, 0, operation.amount * 2)
            self.node.jobs.start(order)
            self.letters.moves |= {(source, name) for name in ((to,) if kind is JobKind.MOVE else QUEUES)}
            for _ in range(operation.amount):
                await trio.lowlevel.checkpoint()
                self._end_step()

    async def _policy(self, operation: Operation) -> None:
        self._apply(PLACES[operation.which % len(PLACES)], operation.seed % 2)

    # -- time

    async def _pass_time(self, operation: Operation) -> None:
        self.clock.advance(_STEPS_MS[operation.amount % len(_STEPS_MS)] / 1000)

    async def _sweep(self, operation: Operation) -> None:
        self.node.sweep()
