"""A consumer in a mixture. Deliveries are held against the model, and against the queue itself.

What is still ready there and of the same class must not have been due before, and no other consumer must have been the
one to be served.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from segue.broker.headers import Headers
from segue.broker.queue import Queue
from segue.broker.selector import Selector
from segue.broker.session import Session, Subscription
from segue.broker.topic import DurableSubscription
from segue.storage.api import CONDEMNED
from tests.property.broker.mixture.letters import Letter, class_of
from tests.property.broker.owed import level_tag

if TYPE_CHECKING:
    from tests.property.broker.mixture.mixed_queues import MixedQueues

__all__ = ["Peer", "Source", "ready_in_memory"]

Source: TypeAlias = Queue | DurableSubscription


@dataclass(eq=False)
class Peer:
    """A consumer in a session of its own.

    Attributes:
        source: what it consumes from.
        selector: what it wants; None for everything.
        rank, alone: see `Session.subscribe_queue`.
        held: number → letter.
        settling, returning, refusing: likewise, of what its transaction has; nothing, if none is open.
        delay_ms: for how long `returning` is put off; None for as long as the queue says.
        sending: name → letter of what its transaction is to send.
    """

    world: MixedQueues
    session: Session
    source: Source
    selector: Selector | None
    rank: int = 0
    alone: bool = False
    held: dict[int, str] = field(default_factory=dict)
    settling: dict[int, str] = field(default_factory=dict)
    returning: dict[int, str] = field(default_factory=dict)
    refusing: dict[int, str] = field(default_factory=dict)
    delay_ms: int | None = None
    sending: dict[str, Letter] = field(default_factory=dict)
    blocked: bool = False
    subscription: Subscription = field(init=False)

    @property
    def in_transaction(self) -> dict[int, str]:
        """Number → letter of what its transaction has."""
        return self.settling | self.returning | self.refusing

    def end_transaction(self) -> None:
        """It has none any more."""
        self.settling, self.returning, self.refusing, self.sending = {}, {}, {}, {}

    # -- as a sink

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
        assert self.wants(record), "nobody has asked for it"
        assert not self.source.dispatcher.paused, "nothing is delivered now"
        spot = self.source.name, seq
        self.held[seq] = letters.delivered(self, spot, record, deliveries, now_ms, redelivered=redelivered)
        alone = self.world.served_alone(self)
        assert alone in (None, self), "another one is served alone"
        if alone is None and class_of(record)[0] is None:
            self.world.taken.append((self, record))

    def wants(self, record: bytes) -> bool:
        """True when it has asked for such a message."""
        return all(one is None or one.matches(Headers(record)) for one in (self.selector, self._common_selector))

    @property
    def _common_selector(self) -> Selector | None:
        return self.source.dispatcher.selector

    def look_beside(self, record: bytes) -> None:
        """This is what it was given in the step that has ended: nobody of a higher rank could take it."""
        for other in self.world.peers_of(self.source):
            if other.rank > self.rank and other.wants(record):
                assert not other.subscription.consumer.able, "one of a higher rank could have had it"

    def _look_before(self, taken: dict[int, bytes]) -> None:
        """Nothing of the same class that is ready goes before what was just taken."""
        ready = [(seq, record) for seq, record in ready_in_memory(self.source) if self.wants(record)]
        expiry, now_ms, cursor = self.source.dispatcher.expiry, self.world.clock.now_ms(), self.source.cursor
        for seq, record in taken.items():
            mine = cursor.place(seq)
            for other, waits in ready:
                if class_of(waits) == class_of(record) and (expiry is None or expiry.deadline(waits) > now_ms):
                    assert cursor.place(other) > mine, f"message {seq} of {self.source.name} overtook {other}"


def ready_in_memory(source: Source) -> Iterator[tuple[int, bytes]]:
    """Number and record of what could go out now, but for what lies on disk."""
    cursors = [log.cursors[0] for log in source.logs] if isinstance(source, Queue) else [source.cursor]
    for cursor in cursors:
        log = cursor.log
        returned = [seq for seq, standing in cursor.returned.items() if standing < CONDEMNED]
        for seq in (*returned, *range(cursor.next, log.durable)):
            if cursor.is_ready(seq) and (record := log.find(seq)) is not None:
                yield level_tag(log) + seq, record
