"""The broker's model against plain lists: each message is in one state, in order, once (DESIGN §3.4: 5, 6, 11)."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from segue.broker.consumer import Consumer
from segue.broker.session import Session, Subscription
from tests.unit.broker.actors import FakeSink, World, body_of, record

_CONSUMERS_MAX = 4
_PICK = st.integers(0, 1 << 16)


@dataclass
class Peer:
    """A consumer in a session of its own, as the model sees it."""

    session: Session
    subscription: Subscription
    sink: FakeSink
    prefetch: int
    out: list[int] = field(default_factory=list)
    """What it holds, in the order of delivery; what its transactions hold is in `held`."""
    held: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    """Transaction → (number, rejected), as long as it is open."""
    sends: dict[str, list[str]] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    """Everything it has been given and has not settled or returned, in the order of delivery."""

    @property
    def consumer(self) -> Consumer:
        return self.subscription.consumer


class BrokerModel(RuleBasedStateMachine):
    """One queue, a few consumers; what the disk does is a step of its own."""

    @initialize(in_flight_max=st.sampled_from([3, 100_000]))
    def begin(self, in_flight_max: int) -> None:
        self.world = World(queue_in_flight_max=in_flight_max)
        self.in_flight_max = in_flight_max
        self.queue = self.world.node.queue("q")
        self.peers: list[Peer] = []
        self.accepted: list[str] = []  # the message numbered n stands at n - 1
        self.settled: set[int] = set()
        self.deliveries: dict[int, int] = {}
        self.last_first = 0
        self.count = 0

    # -- verbs

    def text(self) -> str:
        self.count += 1
        return f"m{self.count}"

    def peer(self, pick: int) -> Peer:
        return self.peers[pick % len(self.peers)]

    def end_step(self) -> None:
        self.world.node.end_step()
        self.take_deliveries()

    def take_deliveries(self) -> None:
        for peer in self.peers:
            for one in peer.sink.take():
                assert one.body == self.accepted[one.seq - 1]
                assert one.seq not in self.settled, "delivered after it was settled"
                assert all(one.seq not in other.order for other in self.peers), "out with two at a time"
                known = self.deliveries.get(one.seq, 0)
                assert one.deliveries == known + 1
                assert one.redelivered is (known > 0)
                self.deliveries[one.seq] = known + 1
                peer.out.append(one.seq)
                peer.order.append(one.seq)

    def place(self, peer: Peer, seqs: list[int]) -> None:
        for seq in seqs:
            if seq in peer.out:
                peer.out.remove(seq)
            peer.order.remove(seq)

    @rule(count=st.integers(1, 12))
    def publish(self, count: int) -> None:
        for _ in range(count):
            text = self.text()
            self.accepted.append(text)
            self.queue.publish(record(text))
        self.world.store.want()
        self.end_step()

    @rule()
    def sync(self) -> None:
        if self.world.store.under_way:
            self.world.store.sync()
        self.end_step()

    @rule()
    def sync_all(self) -> None:
        self.world.settle_down()
        self.take_deliveries()

    @rule()
    def spill(self) -> None:
        if not self.world.store.under_way:
            self.world.store.spill(self.queue.log)

    @rule()
    def read(self) -> None:
        if self.world.store.played_reader.jobs:
            self.world.store.read()
        self.end_step()

    @precondition(lambda self: len(self.peers) < _CONSUMERS_MAX)
    @rule(prefetch=st.integers(1, 9), window=st.sampled_from([0, 0, 60]))
    def subscribe(self, prefetch: int, window: int) -> None:
        session, sink = self.world.session(), FakeSink()
        subscription = session.subscribe_queue(self.queue, sink, prefetch=prefetch, settles=True, window_bytes=window)
        self.peers.append(Peer(session, subscription, sink, prefetch))
        self.end_step()

    @precondition(lambda self: self.peers)
    @rule(pick=_PICK, at=_PICK)
    def acknowledge(self, pick: int, at: int) -> None:
        peer = self.peer(pick)
        if peer.out:
            seq = peer.out[at % len(peer.out)]
            peer.consumer.acknowledge(seq, self.deliveries[seq])
            peer.consumer.settle()
            self.settled.add(seq)
            self.place(peer, [seq])
        self.end_step()

    @precondition(lambda self: self.peers)
    @rule(pick=_PICK, at=_PICK)
    def acknowledge_cumulatively(self, pick: int, at: int) -> None:
        peer = self.peer(pick)
        if peer.out:
            seq = peer.out[at % len(peer.out)]
            covered = peer.consumer.up_to(seq)
            assert covered == peer.out[: peer.out.index(seq) + 1]
            peer.consumer.acknowledge_all(covered)
            peer.consumer.settle()
            self.settled.update(covered)
            self.place(peer, covered)
        self.end_step()

    @precondition(lambda self: self.peers)
    @rule(pick=_PICK, at=_PICK)
    def give_back(self, pick: int, at: int) -> None:
        peer = self.peer(pick)
        if peer.out:
            seq = peer.out[at % len(peer.out)]
            self.place(peer, [seq])
            peer.session.give_back(peer.consumer, [seq])
        self.end_step()

    @precondition(lambda self: self.peers)
    @rule(pick=_PICK, blocked=st.booleans())
    def block(self, pick: int, blocked: bool) -> None:
        peer = self.peer(pick)
        peer.sink.blocked = blocked
        self.queue.dispatcher.queue_up(peer.consumer)
        self.queue.dispatcher.dispatch()
        self.end_step()

    # -- transactions

    @precondition(lambda self: self.peers)
    @rule(pick=_PICK, name=st.sampled_from("tu"))
    def begin_transaction(self, pick: int, name: str) -> None:
        peer = self.peer(pick)
        if name not in peer.held:
            peer.session.begin(name)
            peer.held[name], peer.sends[name] = [], []

    @precondition(lambda self: self.peers)
    @rule(pick=_PICK, name=st.sampled_from("tu"), at=_PICK, rejected=st.booleans())
    def hold_in_transaction(self, pick: int, name: str, at: int, rejected: bool) -> None:
        peer = self.peer(pick)
        if name in peer.held and peer.out:
            seq = peer.out[at % len(peer.out)]
            transaction = peer.session.transaction(name)
            (transaction.reject if rejected else transaction.acknowledge)(peer.consumer, [seq])
            peer.out.remove(seq)
            peer.held[name].append((seq, rejected))

    @precondition(lambda self: self.peers)
    @rule(pick=_PICK, name=st.sampled_from("tu"))
    def send_in_transaction(self, pick: int, name: str) -> None:
        peer = self.peer(pick)
        if name in peer.held:
            text = self.text()
            peer.session.transaction(name).send(self.queue, self.queue.publish, record(text))
            peer.sends[name].append(text)

    @precondition(lambda self: self.peers)
    @rule(pick=_PICK, name=st.sampled_from("tu"))
    def commit(self, pick: int, name: str) -> None:
        peer = self.peer(pick)
        if name in peer.held:
            held = peer.held.pop(name)
            self.accepted += peer.sends.pop(name)
            self.settled.update(seq for seq, rejected in held if not rejected)
            self.place(peer, [seq for seq, _ in held])
            peer.session.commit(name)
        self.end_step()

    @precondition(lambda self: self.peers)
    @rule(pick=_PICK, name=st.sampled_from("tu"))
    def abort(self, pick: int, name: str) -> None:
        peer = self.peer(pick)
        if name in peer.held:
            back = {seq for seq, _ in peer.held.pop(name)}
            del peer.sends[name]
            peer.session.abort(name)
            peer.out = [seq for seq in peer.order if seq in back or seq in peer.out]
        self.end_step()

    # -- ends

    @precondition(lambda self: self.peers)
    @rule(pick=_PICK)
    def disconnect(self, pick: int) -> None:
        peer = self.peer(pick)
        peer.session.close()
        self.peers.remove(peer)
        self.end_step()

    @rule()
    def purge(self) -> None:
        out = {seq for peer in self.peers for seq in peer.order}
        durable = self.queue.log.durable
        ready = {seq for seq in range(1, durable) if seq not in self.settled and seq not in out}
        assert self.queue.purge() == len(ready)
        self.settled |= ready
        self.end_step()

    # -- what always holds

    @invariant()
    def every_message_is_in_one_state_and_the_counts_add_up(self) -> None:
        statistics = self.queue.statistics()
        cursor = self.queue.cursor
        out = [seq for container in cursor.out for seq in container]
        assert sorted(out) == sorted(seq for peer in self.peers for seq in peer.order)
        assert statistics.in_flight == len(out) <= self.in_flight_max
        assert not set(out) & set(cursor.returned)
        assert not set(out) & self.settled
        assert not set(cursor.returned) & self.settled
        assert statistics.published == len(self.accepted)
        assert statistics.settled == len(self.settled)
        assert statistics.ready + statistics.in_flight + statistics.settled == self.queue.log.durable - 1

    @invariant()
    def what_a_consumer_holds_is_what_it_was_given_in_that_order(self) -> None:
        for peer in self.peers:
            assert list(peer.consumer.unacknowledged) == peer.out

    @invariant()
    def credit_is_the_prefetch_less_what_is_out(self) -> None:
        for peer in self.peers:
            assert peer.consumer.credit == peer.prefetch - len(peer.order) >= 0

    @invariant()
    def first_deliveries_rise(self) -> None:
        highest = max(self.deliveries, default=0)
        assert self.last_first <= highest < self.queue.cursor.next or not self.deliveries
        self.last_first = highest

    def teardown(self) -> None:
        """In the end somebody reads all that is left, in order, byte for byte."""
        if not hasattr(self, "world"):
            return
        for peer in list(self.peers):
            peer.session.close()
        self.peers.clear()
        self.world.settle_down()
        sink, session = FakeSink(), self.world.session()
        subscription = session.subscribe_queue(self.queue, sink, prefetch=1 << 16, settles=True)
        found: list[int] = []
        while True:
            self.world.settle_down()
            taken = sink.take()
            if not taken:
                break
            found += [one.seq for one in taken]
            self.world.acknowledge(subscription.consumer, *[one.seq for one in taken])
        assert found == [seq for seq in range(1, len(self.accepted) + 1) if seq not in self.settled]
        assert self.world.store.hot_bytes == 0
        assert body_of(record("x")) == "x"


TestBrokerModel = BrokerModel.TestCase
