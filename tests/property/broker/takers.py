"""A consumer's sink that notes what it is given, to be looked at when the step is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segue.broker.levels import SEQ_BITS
from segue.broker.queue import Queue

__all__ = ["Taken", "Taker"]


@dataclass(eq=False)
class Taker:
    """A sink that keeps what it and others are given, in that order; nothing of a higher level may be there then."""

    all_taken: list[Taken]
    queue: Queue
    blocked: bool = False

    def deliver(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
        self._look_above(seqs[0])
        self.all_taken += [Taken(self, seq, record, 1, redelivered) for seq, record in zip(seqs, records, strict=True)]

    def deliver_again(self, seq: int, record: bytes, deliveries: int) -> None:
        self._look_above(seq)
        self.all_taken.append(Taken(self, seq, record, deliveries, True))

    def _look_above(self, number: int) -> None:
        for level in self.queue.levels or ():
            if level.which == number >> SEQ_BITS:
                return
            assert not level.cursor.unread, "lower messages do not overtake"
            assert not level.cursor.has_returned, "nor do they those that came back"

    def cancelled(self, reason: str) -> None:
        raise AssertionError(reason)

    def failed(self, error: Exception) -> None:
        raise error


@dataclass
class Taken:
    """A delivery."""

    by: Taker
    seq: int
    record: bytes
    deliveries: int
    redelivered: bool
