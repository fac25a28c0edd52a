"""The queues and durable subscriptions of a mixture: their starts and ends, who consumes, and what always holds.

See letters.py for the model of the messages, and peers.py for what consumers look at.
"""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

from segue.broker.jobs import JobState
from segue.broker.queue import Queue
from segue.broker.schedule.scheduled_message import decode_scheduled
from segue.broker.selector import Selector
from segue.broker.topic import DurableSubscription
from tests.property.broker.broker_lives import BrokerLives
from tests.property.broker.mixture.draws import PLACES, QUEUES, SELECTORS, SUBSCRIPTIONS, TOPIC, TwoOptions
from tests.property.broker.mixture.letters import SCHEDULE, Letters, Spot
from tests.property.broker.mixture.peers import Peer, Source
from tests.property.broker.owed import level_tag, owed_by, queue_of
from tests.property.operation import Operation
from tests.unit.broker.actors import FakeOutput

__all__ = ["MixedQueues"]


class MixedQueues(BrokerLives):
    """See the module.

    Attributes:
        letters: what is known of messages.
        taken: what consumers were given since the last look at who else could have had it.
    """

    def __init__(self, root: Path, options: TwoOptions) -> None:
        super().__init__(root)
        self._options_of = options
        self.letters = Letters({name: [options[name][0]] for name in PLACES}, SUBSCRIPTIONS)
        self._peers: list[Peer] = []
        self.taken: list[tuple[Peer, bytes]] = []
        self._served: dict[str, Peer] = {}
        self._ids: dict[tuple[str, str], tuple[str, int, int]] = {}  # queue, id → letter, time, moment

    # -- starts and ends

    async def _begin(self) -> None:
        """Look at what is owed before anything can happen to it, and go on from there."""
        self._peers.clear()
        self.taken.clear()
        self._served.clear()
        confirmed = self.letters.confirmed
        self.letters.census(await self._owed(), self.clock.now_ms(), crashed=True)
        known = self.letters.known
        self._ids = {key: one for key, one in self._ids.items() if one[2] <= confirmed or one[0] in known}
        self._start_node()
        for name in PLACES:
            self._declare(name)
        self.node.bind(self.node.queues[QUEUES[-1]], TOPIC)
        draw = random.Random(self._lives)
        for name in draw.sample(PLACES, 4):  # clients that come back by themselves
            self._join_as_drawn(name, draw.randint(1, 12), draw)
        await self._wait(Operation("wait"))

    def _declare(self, name: str) -> None:
        if name in QUEUES:
            self.node.declare_queue(name, options=self._options_of[name][0])
        elif self.node.topics.durable(name) is None:
            self.node.topics.create_durable(name, SUBSCRIPTIONS[name][0], 1000, SUBSCRIPTIONS[name][1])
        self._apply(name, 0)

    def _apply(self, name: str, which: int) -> None:
        options = self._options_of[name][which]
        self.letters.new_options(name, options)
        self._served.pop(name, None)
        self._source(name).apply(options)

    async def _stop(self) -> None:
        for job in self.node.jobs:
            job.scope.cancel()
        for peer in list(self._peers):
            self._go(peer)
        await super()._stop()

    async def _end(self) -> None:
        """Somebody takes all that is left, and then there is nothing anywhere."""
        await self._begin()
        for queue in self._queues:
            queue.resume()
        for number in range(40):
            self.clock.advance(1.5**number)
            for name in PLACES:
                self._join(name, prefetch=500)
            await self._due(Operation("due"))
            self.node.sweep()
            await self._breathe(Operation("breathe"))
            for peer in list(self._peers):
                self._settle(peer, list(peer.held))
                self._end_step()
                self._go(peer)
            await self._wait(Operation("wait"))
            if not self.letters.known:
                return
        raise AssertionError(f"nobody is given {self.letters.known}")

    async def _due(self, operation: Operation) -> None:
        """The schedule does what there is to do."""
        for _ in range(20):
            await self._breathe(operation)
            if self.node.schedule.step():
                break
        self._store.want()

    # -- looking

    async def _owed(self) -> list[tuple[Spot, bytes]]:
        """Where everything is that is owed, and its record; what goes while that is read is not among it."""
        found: list[tuple[Spot, bytes]] = []
        for log in list(self._store.logs.values()):
            kind = log.definition.get("kind")
            for cursor in log.cursors if kind in ("queue", "level", "topic", "delayed", "overdue") else ():
                owed = (await owed_by(cursor)).items()
                if kind == "topic":
                    found += [((cursor.definition["name"], seq), record) for seq, record in owed]
                elif kind in ("queue", "level"):
                    found += [((queue_of(log), level_tag(log) + seq), record) for seq, record in owed]
                else:
                    found += [((SCHEDULE, log.id << 32 | seq), decode_scheduled(r).record) for seq, r in owed]
        return found

    async def _wait(self, operation: Operation) -> None:
        """Until everything is durable, and everything that was read from disk has arrived; then look at all of it."""
        self._store.on_durable(partial(self.letters.confirm, self.letters.next_moment()))
        await self._breathe(operation)
        self._check()
        if not any(job.state is JobState.RUNNING for job in self.node.jobs):
            version = self._store.batch  # what is read takes no part in what happens meanwhile
            found = await self._owed()
            if version is self._store.batch and not self._store.batch:
                self.letters.census(found, self.clock.now_ms(), crashed=False)
                self.letters.moves.clear()

    def _check(self) -> None:
        """Numbers add up, and the look-ahead is as its module says."""
        for name in PLACES:
            source = self._source(name)
            held = sum(len(peer.held) + len(peer.in_transaction) for peer in self.peers_of(source))
            assert source.dispatcher.in_flight == held
            self._check_bound(source)
        for queue in self._queues:
            found, condemned = queue.statistics(), len(queue.cursor.condemned)
            assert found.published == found.settled + found.ready + found.in_flight + condemned
            assert found.returned >= 0
            self._check_bytes(queue)
            if queue.dispatcher.look_ahead is not None:
                self._check_look_ahead(queue)
        ahead = [queue.dispatcher.look_ahead for queue in self._queues]
        assert self.node.pressure.look_ahead_bytes == sum(one.bytes for one in ahead if one is not None)

    def _check_bound(self, source: Source) -> None:
        """Where the oldest messages go, there are not too many left."""
        options, dispatcher = source.options, source.dispatcher
        if dispatcher.bound is not None and options.messages_max is not None:
            assert source.cursor.ready <= options.messages_max

    def _check_look_ahead(self, queue: Queue) -> None:
        look_ahead, returned = queue.dispatcher.look_ahead, queue.cursor.returned
        assert look_ahead is not None
        for held in look_ahead.held.values():
            assert returned[held.seq] == held.standing
        for group in look_ahead.groups.values():
            assert (group.owner is not None) is (group.out > 0)
            assert group.out or any(place in look_ahead.held for place in group.waiting), "nothing of it is there"

    def _end_step(self) -> None:
        super()._end_step()
        if self.broken is not None:
            raise self.broken
        taken, self.taken = self.taken, []
        for peer, record in taken:
            peer.look_beside(record)

    # -- who consumes

    @property
    def _queues(self) -> list[Queue]:
        return [self.node.queues[name] for name in QUEUES]

    def _source(self, name: str) -> Source:
        return self.node.queues[name] if name in QUEUES else self._subscription(name)

    def _subscription(self, name: str) -> DurableSubscription:
        subscription = self.node.topics.durable(name)
        assert subscription is not None
        return subscription

    def peers_of(self, source: Source) -> list[Peer]:
        """Those who consume from it."""
        return [peer for peer in self._peers if peer.source is source]

    def served_alone(self, peer: Peer) -> Peer | None:
        """Who alone is to be served by a queue, as it has just served `peer`; None: everybody may be.

        Who comes first is for the broker to say; but he is the one until he leaves, or an exclusive one comes.
        """
        source = peer.source
        peers = self.peers_of(source)
        candidates = [one for one in peers if one.alone]
        if not candidates and isinstance(source, Queue) and source.options.single_active:
            candidates = peers
        if not candidates:
            return None
        if self._served.get(source.name) not in candidates:
            self._served[source.name] = peer if peer in candidates else candidates[0]
        return self._served[source.name]

    def _join(
        self, name: str, *, prefetch: int, selector: Selector | None = None, rank: int = 0, alone: bool = False
    ) -> None:
        session = self.node.open_session("", "", "", FakeOutput())
        if name in QUEUES:
            queue = self.node.queues[name]
            peer = Peer(self, session, queue, selector, rank, alone)
            self._peers.append(peer)
            peer.subscription = session.subscribe_queue(
                queue, peer, prefetch=prefetch, settles=True, selector=selector, rank=rank, alone=alone
            )
        else:
            pattern, common = SUBSCRIPTIONS[name]
            peer = Peer(self, session, self._subscription(name), None)
            self._peers.append(peer)
            peer.subscription = session.subscribe_durable(
                name, pattern, peer, prefetch=prefetch, settles=True, shared=True, selector=common
            )

    def _join_as_drawn(self, name: str, prefetch: int, draw: random.Random) -> None:
        """A consumer of some kind."""
        selector, rank = draw.choice(SELECTORS), draw.choice((0, 0, 0, 5, -5))
        self._join(name, prefetch=prefetch, selector=selector, rank=rank, alone=draw.random() < 0.1)

    def _go(self, peer: Peer) -> None:
        self._peers.remove(peer)
        if peer.alone:
            self._served.pop(peer.source.name, None)
        for name in (*peer.held.values(), *peer.in_transaction.values()):
            self.letters.returned(name)
        peer.session.close()

    def _settle(self, peer: Peer, seqs: list[int]) -> None:
        moment = self.letters.next_moment()
        for seq in seqs:
            self.letters.settled(peer.held.pop(seq), moment)
        peer.subscription.consumer.acknowledge_all(seqs)
        peer.subscription.consumer.settle()
