"""A consumer in a mixture. Deliveries are held against the model, and against the queue itself.

What is still ready there and of the same class must not have been due before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from segue.broker.headers import Headers
from segue.broker.queue import Queue
from segue.broker.selector import Selector
from segue.broker.session import Session, Subscription
from segue.storage.api import CONDEMNED
from tests.property.broker.mixture.letters import body_of, class_of
from tests.property.broker.owed import level_tag

if TYPE_CHECKING:
    from tests.property.broker.mixture.mixture import Mixture

__all__ = ["Peer", "ready_in_memory"]


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
        ready = list(ready_in_memory(self.queue))
        expiry, now_ms = self.queue.dispatcher.expiry, self.world.clock.now_ms()
        for seq, record in taken.items():
            mine = self.queue.cursor.place(seq)
            for other, waits in ready:
                if class_of(waits) == class_of(record) and (expiry is None or expiry.deadline(waits) > now_ms):
                    assert self.queue.cursor.place(other) > mine, f"{body_of(record)} overtook {body_of(waits)}"


def ready_in_memory(queue: Queue) -> Iterator[tuple[int, bytes]]:
    """Number and record of what could go out now, but for what lies on disk."""
    for log in queue.logs:
        (cursor,) = log.cursors
        returned = [seq for seq, standing in cursor.returned.items() if standing < CONDEMNED]
        for seq in (*returned, *range(cursor.next, log.durable)):
            if cursor.is_ready(seq) and (record := log.find(seq)) is not None:
                yield level_tag(log) + seq, record
