"""The counts of a run: what was sent, confirmed and received, how fast and after how long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from segue.bench.histogram import Histogram, Percentiles
from segue.bench.order import Sighting

__all__ = ["Block", "Blocks", "Ledger"]

_NANOSECONDS_PER_SECOND = 1e9


@dataclass(frozen=True, slots=True)
class Block:
    """`count` messages on the way through: their rate, and their latencies where they have some."""

    count: int
    seconds: float
    latency: Percentiles | None

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.count / self.seconds if self.seconds > 0 else 0.0


class Blocks:
    """Cuts a run into blocks of so many messages, to show whether the last is as fast as the first.

    A read that ends a block may hold the beginning of the next: it is booked on the block that it ends, which keeps its
    true count, and the next block is so much shorter.

    Args:
        size: messages a block, 0 for no blocks.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = 0
        self._total = 0
        self._boundary = size
        self._since = 0
        self._latencies = Histogram()
        self.done: list[Block] = []

    def start(self, now: int) -> None:
        """The first block begins."""
        self._since = now

    def add(self, count: int, ages: Iterable[tuple[int, int]], now: int) -> None:
        """`count` messages more, with their ages in nanoseconds."""
        if not self._size:
            return
        self._count += count
        self._total += count
        self._latencies.record_all(ages)
        if self._total >= self._boundary:
            self._boundary = (self._total // self._size + 1) * self._size
            seconds = (now - self._since) / _NANOSECONDS_PER_SECOND
            self.done.append(Block(self._count, seconds, self._latencies.percentiles()))
            self._count, self._since, self._latencies = 0, now, Histogram()


@dataclass(slots=True)
class Ledger:
    """What all producers and consumers of a run write into. Times are CLOCK_MONOTONIC in nanoseconds.

    Attributes:
        received: all messages that came, also again, and also those of an earlier run.
        returned: how many of the messages that this run sent have come back; of all that came, with `any_returns`.
        early: how many came before they were due.
        any_returns: it does not matter which messages come: there were many before this run.
    """

    started: int = 0
    sent: int = 0
    confirmed: int = 0
    last_confirm: int = 0
    received: int = 0
    returned: int = 0
    first_delivery: int = 0
    last_delivery: int = 0
    redelivered: int = 0
    early: int = 0
    any_returns: bool = False
    sighting: Sighting = field(default_factory=Sighting)
    confirm: Histogram = field(default_factory=Histogram)
    latency: Histogram = field(default_factory=Histogram)
    confirm_blocks: Blocks = field(default_factory=lambda: Blocks(0))
    delivery_blocks: Blocks = field(default_factory=lambda: Blocks(0))

    def add_confirms(self, count: int, ages: list[tuple[int, int]], now: int) -> None:
        """Receipts came."""
        self.confirmed += count
        self.last_confirm = now
        self.confirm.record_all(ages)
        self.confirm_blocks.add(count, ages, now)

    def add_deliveries(self, count: int, redelivered: int, now: int) -> None:
        """Messages came."""
        if not self.received:
            self.first_delivery = now
            self.delivery_blocks.start(now)
        self.received += count
        self.redelivered += redelivered
        self.last_delivery = now
        self.delivery_blocks.add(count, (), now)

    @property
    def progress(self) -> int:
        """Rises whenever anything happens."""
        return self.sent + self.confirmed + self.received

    def publish_rate(self) -> float:
        """Confirmed messages a second, from the start to the last receipt."""
        return _rate(self.confirmed, self.last_confirm - self.started)

    def delivery_rate(self, since: int) -> float:
        """Received messages a second, from `since` to the last delivery."""
        return _rate(self.received, self.last_delivery - since)


def _rate(count: int, nanoseconds: int) -> float:
    return count * _NANOSECONDS_PER_SECOND / nanoseconds if count and nanoseconds > 0 else 0.0
