"""A consumer: acknowledges what it gets, and checks order and completeness on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from segue.bench import frames
from segue.bench.ledger import Ledger
from segue.bench.link import Link
from segue.bench.order import ConsumerOrder, Run, runs
from segue.bench.replies import deliveries

__all__ = ["AckMode", "Ages", "Consumer"]

AckMode = Literal["auto", "client", "client-individual"]

Ages = Callable[[Run, int], Iterator[tuple[int, int]] | None]
"""The ages of messages at a time, as (nanoseconds, how many); None for what was not sent by this run."""


class Consumer:
    """One subscribed connection.

    Args:
        link: logged in and subscribed.
        ack: the mode of its subscriptions.
        ledger: where deliveries are written.
        ages: looks up when messages were sent.
        limit: how many messages are acknowledged in all, over all consumers; what comes beyond is not. None for all.
        ahead_max: of a run over depth: how many more messages than were sent consumers may have acknowledged. None for
            any number.
    """

    def __init__(
        self,
        link: Link,
        ack: AckMode,
        ledger: Ledger,
        ages: Ages,
        limit: int | None = None,
        ahead_max: int | None = None,
    ) -> None:
        self.link = link
        self.order = ConsumerOrder()
        self._ack = ack
        self._ledger = ledger
        self._ages = ages
        self._limit = limit
        self._ahead_max = ahead_max
        self._kept: list[bytes] = []

    def receive(self, whole: bytes, now: int) -> None:
        """Acknowledge and book the messages in whole frames."""
        ack_ids, keys, redelivered = deliveries(whole)
        # In auto mode a MESSAGE has no ack header.
        count = len(ack_ids) if self._ack != "auto" else whole.count(b"MESSAGE\n")
        if not count:
            return
        if self._limit is not None and self._ledger.received + count > self._limit:
            count = self._limit - self._ledger.received
            del ack_ids[count:], keys[count:]
        if self._is_ahead(count):
            self._kept += ack_ids
        elif ack_ids:
            self._acknowledge(ack_ids)
        self._ledger.add_deliveries(count, redelivered, now)
        self._check(keys, now)

    def release(self) -> None:
        """Acknowledge what was kept because producers were behind, if they are no more."""
        if self._kept and not self._is_ahead():
            self._acknowledge(self._kept)
            self._kept.clear()

    def _is_ahead(self, count: int = 0) -> bool:
        """Whether consumers are ahead when so many more have come."""
        if self._ahead_max is None:
            return False
        return self._ledger.received + count > self._ledger.sent + self._ahead_max

    def _acknowledge(self, ack_ids: list[bytes]) -> None:
        if self._ack == "client-individual":
            self.link.send(frames.acknowledge(ack_ids))
        elif self._ack == "client":
            self.link.send(frames.acknowledge_through(ack_ids))

    def _check(self, keys: list[int], now: int) -> None:
        for run in runs(keys):
            self.order.add(run)
            fresh = self._ledger.sighting.add(run)
            ages = self._ages(run, now)
            if ages is not None or self._ledger.any_returns:
                self._ledger.returned += fresh
            if ages is not None:
                self._ledger.latency.record_all(ages)
