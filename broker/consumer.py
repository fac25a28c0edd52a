"""A consumer: one subscription's credit, and the messages that are out with it.

Invariants: `len(unacknowledged)` ≤ what was ever granted; a message is in `unacknowledged` of one consumer, or in one
transaction, or with the cursor, never in two places. `unacknowledged` keeps the order of delivery, which is what a
cumulative acknowledgement means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from segue.broker.errors import NotHeldError

if TYPE_CHECKING:
    from segue.broker.dispatcher import Dispatcher

__all__ = ["UNLIMITED", "Consumer", "Sink"]

UNLIMITED = 1 << 30
"""Credit of a consumer that acknowledges nothing: bounded by its connection's output buffer."""


class Sink(Protocol):
    """Where a front-end takes deliveries for one subscription. All calls are plain functions on the event loop."""

    @property
    def blocked(self) -> bool:
        """True while the connection's output buffer is full; nothing is delivered then."""

    def deliver(self, first: int, records: list[bytes], redelivered: bool) -> None:
        """First deliveries, numbered from `first` on; `redelivered`: after a crash, they may be repeats."""

    def deliver_again(self, seq: int, record: bytes, deliveries: int) -> None:
        """A returned message goes out again; `deliveries` counts this one."""

    def cancelled(self, reason: str) -> None:
        """The queue is gone; no more will come."""


class Consumer:
    """One subscription to a queue or a durable subscription.

    Attributes:
        credit: how many more may be delivered now.
        unacknowledged: sequence number → deliveries, in order of delivery.
        settles: True when the peer acknowledges; otherwise `sent` settles.
    """

    __slots__ = (
        "_acknowledged",
        "_window_bytes",
        "_window_out",
        "_window_sizes",
        "credit",
        "dispatcher",
        "open",
        "prefetch",
        "session_id",
        "settles",
        "sink",
        "unacknowledged",
        "waiting",
    )

    def __init__(
        self,
        dispatcher: Dispatcher,
        sink: Sink,
        *,
        prefetch: int,
        settles: bool,
        session_id: int,
        window_bytes: int = 0,
    ) -> None:
        """`window_bytes`: most octets that may be out, 0 for no such bound."""
        self.dispatcher = dispatcher
        self.sink = sink
        self.prefetch = prefetch if settles else UNLIMITED
        self.credit = self.prefetch
        self.settles = settles
        self.session_id = session_id
        self.unacknowledged: dict[int, int] = {}
        self.waiting = False
        self.open = True
        self._acknowledged: list[int] = []
        self._window_bytes = window_bytes
        self._window_out = 0
        self._window_sizes: dict[int, int] = {}

    @property
    def able(self) -> bool:
        """True when something may be delivered."""
        return (
            self.credit > 0
            and self.open
            and not self.sink.blocked
            and (not self._window_bytes or self._window_out < self._window_bytes)
        )

    @property
    def counts_bytes(self) -> bool:
        """True when not only the number of messages that are out is bounded."""
        return self._window_bytes > 0

    # -- deliveries (called by the dispatcher)

    def take(self, first: int, records: list[bytes], redelivered: bool) -> None:
        """First deliveries."""
        self.unacknowledged.update(dict.fromkeys(range(first, first + len(records)), 1))
        self.credit -= len(records)
        if self._window_bytes:
            self._count_out(first, records)
        self.sink.deliver(first, records, redelivered)

    def take_again(self, seq: int, record: bytes, deliveries: int) -> None:
        """A returned message."""
        self.unacknowledged[seq] = deliveries
        self.credit -= 1
        if self._window_bytes:
            self._count_out(seq, [record])
        self.sink.deliver_again(seq, record, deliveries)

    # -- settling (called by sessions)

    def acknowledge(self, seq: int, delivery: int = 1) -> None:
        """One message is done; durable with the batch that is open when `settle` is called.

        Args:
            seq: its number.
            delivery: which of its deliveries is meant: an earlier one, since returned, is no longer held.

        Raises:
            NotHeldError: this consumer does not hold it.
        """
        if self.unacknowledged.get(seq) != delivery:
            raise NotHeldError(f"message {seq} is not out with this subscription")
        del self.unacknowledged[seq]
        self._acknowledged.append(seq)

    def acknowledge_all(self, seqs: list[int]) -> None:
        """Messages that `up_to` found are done."""
        for seq in seqs:
            del self.unacknowledged[seq]
        self._acknowledged += seqs

    def just(self, seq: int, delivery: int = 0) -> list[int]:
        """One message, if it is held: as `up_to`, for acknowledgements that are not cumulative."""
        if seq not in self.unacknowledged or delivery not in (0, self.unacknowledged[seq]):
            raise NotHeldError(f"message {seq} is not out with this subscription")
        return [seq]

    def up_to(self, seq: int, delivery: int = 0) -> list[int]:
        """What a cumulative acknowledgement of `seq` covers: everything delivered before it, and itself.

        Args:
            seq: its number.
            delivery: as in `acknowledge`; 0 when the peer can't say which.

        Raises:
            NotHeldError: this consumer does not hold it.
        """
        self.just(seq, delivery)
        covered = []
        for held in self.unacknowledged:
            covered.append(held)
            if held == seq:
                break
        return covered

    def settle(self) -> None:
        """Hand all acknowledgements since the last call to storage; credit comes back. Called once a read."""
        settled = self._acknowledged
        if settled:
            self._acknowledged = []
            self.dispatcher.settle(self, settled)

    def sent(self, count: int) -> None:
        """The oldest `count` deliveries are on the wire: a peer that does not acknowledge has them."""
        unacknowledged = self.unacknowledged
        seqs = [seq for seq, _ in zip(unacknowledged, range(count), strict=False)]
        for seq in seqs:
            del unacknowledged[seq]
        self.dispatcher.settle(self, seqs)

    def take_out(self, seqs: list[int]) -> dict[int, int]:
        """Move messages into a transaction.

        Raises:
            NotHeldError: one of them is not out with this consumer; nothing has changed.
        """
        for seq in seqs:
            if seq not in self.unacknowledged:
                raise NotHeldError(f"message {seq} is not out with this subscription")
        return {seq: self.unacknowledged.pop(seq) for seq in seqs}

    def grant(self, seqs: list[int]) -> None:
        """Give back the credit of messages that are no longer out."""
        self.credit += len(seqs)
        if self._window_bytes:
            for seq in seqs:
                self._window_out -= self._window_sizes.pop(seq, 0)

    def _count_out(self, first: int, records: list[bytes]) -> None:
        for seq, record in enumerate(records, first):
            self._window_sizes[seq] = len(record)
            self._window_out += len(record)
