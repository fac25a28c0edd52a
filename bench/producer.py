"""A producer: keeps a window of unconfirmed messages out, or sends at a fixed rate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain

from segue.bench.frames import SendFrames
from segue.bench.ledger import Ledger
from segue.bench.link import Link
from segue.bench.replies import count_receipts
from segue.bench.timeline import DueTimes, SendTimes, Timeline

__all__ = ["Allowance", "Producer"]

# As many frames of 256 octets as fill a socket buffer's half: the broker starts on the first while we make the next.
_BLOCK_MESSAGES_MAX = 256
_BLOCK_OCTETS_MAX = 1 << 20


class Allowance:
    """What all producers of a run may send together.

    Args:
        ledger: counts what was sent and received.
        backlog_max: how far producers may be ahead of consumers; None for no limit.
    """

    def __init__(self, ledger: Ledger, backlog_max: int | None = None) -> None:
        self._ledger = ledger
        self._backlog_max = backlog_max
        self.open = True
        self._refused = False

    def take_refused(self) -> bool:
        """Whether a producer was told 0 since the last call, and would be told more now: all have to ask again."""
        again = self._refused and self.messages() > 0
        self._refused = self._refused and not again
        return again

    def messages(self) -> int:
        """How many messages may be sent now."""
        if not self.open:
            return 0
        if self._backlog_max is None:
            return _BLOCK_MESSAGES_MAX
        left = self._backlog_max - (self._ledger.sent - self._ledger.returned)
        # Stays so when another producer asks after this one and gets some: this one has no receipt to wake it.
        self._refused = self._refused or left <= 0
        return left


class Producer:
    """One publishing connection. Receipts are counted: the n-th belongs to the n-th message.

    Args:
        link: logged in.
        encoder: this producer's frames.
        window: how many messages may be unconfirmed.
        quota: how many it sends in all; None for no end.
        allowance: shared by all producers.
        ledger: where confirms are written.
        body_bytes: for the size of a block.
    """

    def __init__(
        self,
        link: Link,
        encoder: SendFrames,
        window: int,
        quota: int | None,
        allowance: Allowance,
        ledger: Ledger,
        body_bytes: int,
    ) -> None:
        self.link = link
        self.timeline: Timeline = SendTimes()
        self.sent = 0
        self.confirmed = 0
        self._encoder = encoder
        self._window = window
        self._quota = quota
        self._allowance = allowance
        self._ledger = ledger
        self._block_max = max(1, min(_BLOCK_MESSAGES_MAX, _BLOCK_OCTETS_MAX // body_bytes))

    @property
    def next_due(self) -> int | None:
        """When a paced producer has to send again; None if it is not paced, or waits for something else."""
        done = self._quota is not None and self.sent >= self._quota
        if done or self.sent - self.confirmed >= self._window or not isinstance(self.timeline, DueTimes):
            return None
        return self.timeline.due(self.sent)

    def ages(self, position: int, first: int, count: int, now: int) -> Iterator[tuple[int, int]]:
        """The ages of messages of its stream at `position`, as (nanoseconds, how many of that age)."""
        streams = self._encoder.streams
        if streams == 1:
            return self.timeline.ages(first, count, now)
        numbers = range(first * streams + position, (first + count) * streams + position, streams)
        return chain.from_iterable(self.timeline.ages(number, 1, now) for number in numbers)

    def receive(self, frames: bytes, now: int) -> None:
        """Book receipts, and send on."""
        count = count_receipts(frames)
        if count:
            ages = list(self.timeline.ages(self.confirmed, count, now))
            self.confirmed += count
            self._ledger.add_confirms(count, ages, now)
        self.pump(now)

    def pump(self, now: int) -> None:
        """Send what may be sent now."""
        while not self.link.backed_up and (count := self._room(now)) > 0:
            data = self._encoder.encode(self.sent, count)
            self.timeline.sent(self.sent, count, time.monotonic_ns())
            self.sent += count
            self._ledger.sent += count
            self.link.send(data)

    def _room(self, now: int) -> int:
        # Comparisons and no min(): this is asked twice for every read of every producer.
        room = self._window - (self.sent - self.confirmed)
        if room > self._block_max:
            room = self._block_max
        if room <= 0:
            return 0
        room = min(room, self._allowance.messages())
        if self._quota is not None:
            room = min(room, self._quota - self.sent)
        if isinstance(self.timeline, DueTimes):
            room = min(room, self.timeline.due_by(now) - self.sent)
        return room
