"""A consumer: one subscription's credit, and the messages that are out with it.

Invariants: a message is in `unacknowledged` of one consumer, or in one transaction, or with the cursor, never in two
places. `credit` is `prefetch` less the messages of the first two; it comes back when they are settled or returned, and
is never negative. `unacknowledged` keeps the order of delivery, which is what a cumulative acknowledgement means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from segue.broker.errors import NotHeldError

if TYPE_CHECKING:
    from segue.broker.dispatcher import Dispatcher
    from segue.broker.selector import Selector

__all__ = ["UNLIMITED", "Consumer", "Sink"]

UNLIMITED = 1 << 30
_DELETED_MAX = 512
"""Credit of a consumer that acknowledges nothing: bounded by its connection's output buffer."""


class Sink(Protocol):
    """Where a front-end takes deliveries for one subscription. All calls are plain functions on the event loop."""

    @property
    def blocked(self) -> bool:
        """True while the connection's output buffer is full; nothing is delivered then."""

    def deliver(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
        """First deliveries, rising, and their records; `redelivered`: after a crash, they may be repeats."""

    def deliver_again(self, seq: int, record: bytes, deliveries: int) -> None:
        """A returned message goes out again; `deliveries` counts this one."""

    def cancelled(self, reason: str) -> None:
        """The queue is gone; no more will come."""

    def failed(self, error: Exception) -> None:
        """A `deliver` has raised: a fault of the front-end, which is to log it and to end this consumer's connection.

        So what it was given returns, and what others are given does not suffer.
        """


class Consumer:
    """One subscription to a queue or a durable subscription.

    Attributes:
        credit: how many more may be delivered now.
        unacknowledged: sequence number → deliveries, in order of delivery.
        settles: True when the peer acknowledges; otherwise `sent` settles.
        selector: which messages it wants; None for all.
        rank: consumers of a higher one are served first.
        exclusive: while it is there, it is served alone.
        waiting, turn: it stands in line, and since when; the line's own (line.py).
    """

    __slots__ = (
        "_acknowledged",
        "_deleted",
        "_in_transactions",
        "_numbered",
        "_order",
        "_window_bytes",
        "_window_out",
        "_window_sizes",
        "credit",
        "dispatcher",
        "exclusive",
        "open",
        "prefetch",
        "rank",
        "selector",
        "session_id",
        "settles",
        "sink",
        "turn",
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
        selector: Selector | None = None,
        rank: int = 0,
        exclusive: bool = False,
    ) -> None:
        """`window_bytes`: most octets that may be out, 0 for no such bound."""
        self.dispatcher = dispatcher
        self.sink = sink
        self.prefetch = prefetch if settles else UNLIMITED
        self.credit = self.prefetch
        self.settles = settles
        self.session_id = session_id
        self.unacknowledged: dict[int, int] = {}
        self.selector = selector
        self.rank = rank
        self.exclusive = exclusive
        self.waiting = False
        self.turn = 0
        self.open = True
        self._acknowledged: list[int] = []
        self._deleted = 0  # by cumulative acknowledgements, since the gaps were closed
        # What transactions hold, and where it stood in the order of delivery: an abort puts it back there. Whatever has
        # no number was delivered after everything that has one.
        self._in_transactions: set[int] = set()
        self._order: dict[int, int] = {}
        self._numbered = 0
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
    def room(self) -> int:
        """How many messages it may be given at once."""
        if not self.able:
            return 0
        return 1 if self._window_bytes else self.credit  # its window may be full after any message

    @property
    def counts_bytes(self) -> bool:
        """True when not only the number of messages that are out is bounded."""
        return self._window_bytes > 0

    # -- deliveries (called by the dispatcher)

    def take(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
        """First deliveries."""
        self.unacknowledged.update(dict.fromkeys(seqs, 1))
        self.credit -= len(records)
        if self._window_bytes:
            self._count_out(seqs, records)
        try:
            self.sink.deliver(seqs, records, redelivered)
        except Exception as error:  # noqa: BLE001 - the boundary to a front-end
            self.sink.failed(error)

    def take_again(self, seq: int, record: bytes, deliveries: int) -> None:
        """A returned message."""
        self.unacknowledged[seq] = deliveries
        self._order.pop(seq, None)
        self.credit -= 1
        if self._window_bytes:
            self._count_out((seq,), [record])
        try:
            self.sink.deliver_again(seq, record, deliveries)
        except Exception as error:  # noqa: BLE001 - as above
            self.sink.failed(error)

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
        self._deleted += len(seqs)
        if self._deleted > _DELETED_MAX:
            self._close_gaps()

    def _close_gaps(self) -> None:
        """A dict keeps the places of what was deleted, and `up_to` walks over them: 65,000 cost 100 µs each time."""
        self._deleted = 0
        held = dict(self.unacknowledged)
        self.unacknowledged.clear()
        self.unacknowledged.update(held)

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
        """These messages are no longer out: what they were, number → deliveries, for `Dispatcher.give_back`.

        Raises:
            NotHeldError: one of them is not out with this consumer; nothing has changed.
        """
        self._check_held(seqs)
        return {seq: self.unacknowledged.pop(seq) for seq in seqs}

    # -- transactions

    def hold(self, seqs: list[int]) -> dict[int, int]:
        """Move messages into a transaction, which ends with `release` or `restore`. As `take_out` otherwise."""
        self._check_held(seqs)
        self._note_order(seqs)
        self._in_transactions.update(seqs)
        return {seq: self.unacknowledged.pop(seq) for seq in seqs}

    def release(self, held: dict[int, int]) -> None:
        """A transaction is carried out, or this consumer is gone: these messages are its own no more."""
        self._in_transactions.difference_update(held)
        if not self._in_transactions:
            self._order.clear()

    def restore(self, held: dict[int, int]) -> None:
        """A transaction was aborted: these messages are out again, each in its place in the order of delivery."""
        out = self.unacknowledged
        both = out | held
        order, last = self._order, self._numbered
        ordered = sorted(both, key=lambda seq: order.get(seq, last))  # stable: those without a number stay as they are
        out.clear()
        out.update((seq, both[seq]) for seq in ordered)
        self.release(held)

    def _check_held(self, seqs: list[int]) -> None:
        for seq in seqs:
            if seq not in self.unacknowledged:
                raise NotHeldError(f"message {seq} is not out with this subscription")

    def _note_order(self, seqs: list[int]) -> None:
        """Number everything from the oldest delivery to the last of `seqs`: mostly those and no others."""
        order, out = self._order, self.unacknowledged
        if len(order) > 2 * (len(out) + len(self._in_transactions)):
            order = self._order = {s: n for s, n in order.items() if s in out or s in self._in_transactions}
        missing = set(seqs).difference(order)
        for seq in out if missing else ():
            if seq not in order:
                order[seq] = self._numbered
                self._numbered += 1
                missing.discard(seq)
                if not missing:
                    break

    # -- credit

    def grant(self, seqs: list[int]) -> None:
        """Give back the credit of messages that are no longer out."""
        self.credit += len(seqs)
        if self._window_bytes:
            for seq in seqs:
                self._window_out -= self._window_sizes.pop(seq, 0)

    def _count_out(self, seqs: Sequence[int], records: list[bytes]) -> None:
        for seq, record in zip(seqs, records, strict=True):
            self._window_sizes[seq] = len(record)
            self._window_out += len(record)
