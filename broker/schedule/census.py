"""How many messages wait for each queue and topic: counted as they come and go, and after a start once from the disk.

Theory of operation. What waited before the start is counted bucket by bucket, beside everything else. A bucket may be
read for delivery meanwhile; then what is read is counted there and then, and the count goes on behind it. So each
message is counted once: those below `_Uncounted.next` are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import trio

from segue.broker.clock import Clock
from segue.broker.errors import UnreadableError
from segue.broker.schedule.bucket import Bucket
from segue.broker.schedule.scheduled_message import targets_of
from segue.broker.schedule.walk import Walk

__all__ = ["Census"]

_BYTES_AT_A_TIME: Final = 256 << 10
_AGAIN_SECONDS: Final = 10.0


@dataclass(slots=True)
class _Uncounted:
    """What of a bucket is not counted yet: some single numbers, and those in [next, end)."""

    single: set[int]
    next: int
    end: int


class Census:
    """See the module.

    Attributes:
        counts: how many messages wait for a target, as far as they are counted; none of them is 0.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.counts: dict[str, int] = {}
        self._uncounted: dict[Bucket, _Uncounted] = {}

    @property
    def complete(self) -> bool:
        """True when nothing is left to be counted."""
        return not self._uncounted

    def waiting_for(self, target: str) -> int:
        """How many messages wait for a target, as far as they are counted; `target` as in `ScheduledMessage`."""
        return self.counts.get(target, 0)

    def add(self, targets: str, number: int = 1) -> None:
        """Messages have come, or gone."""
        for target in targets.split("\n") if "\n" in targets else (targets,):
            count = self.counts.get(target, 0) + number
            if count > 0:
                self.counts[target] = count
            else:
                self.counts.pop(target, None)

    def take_up(self, bucket: Bucket) -> None:
        """Count what is in a bucket that was recovered, in `run`."""
        cursor = bucket.cursor
        self._uncounted[bucket] = _Uncounted(set(cursor.returned), cursor.next, bucket.log.head)

    def seen(self, bucket: Bucket, messages: list[tuple[int, bytes]]) -> None:
        """Messages are being taken from a bucket, in order, to be moved or delivered."""
        if bucket in self._uncounted:
            for seq, frame in messages:
                if not self.is_counted(bucket, seq):
                    self._count(bucket, seq, frame)

    def is_counted(self, bucket: Bucket, seq: int) -> bool:
        """True when a message that is in a bucket is among those that were counted."""
        left = self._uncounted.get(bucket)
        return left is None or not (seq in left.single or left.next <= seq < left.end)

    async def run(self) -> None:
        """Count what waited before the start; returns when that is done."""
        for bucket in list(self._uncounted):
            await self._count_all(bucket)
            del self._uncounted[bucket]

    async def _count_all(self, bucket: Bucket) -> None:
        walk = Walk(bucket)
        while True:
            try:
                messages = await walk.chunk(_BYTES_AT_A_TIME)
            except UnreadableError:
                await trio.sleep(_AGAIN_SECONDS)
                continue
            if not messages:
                return
            began = self._clock.monotonic()
            self.seen(bucket, messages)
            # As much time for others as for this, at least.
            await trio.sleep(self._clock.monotonic() - began)

    def _count(self, bucket: Bucket, seq: int, frame: bytes) -> None:
        left = self._uncounted[bucket]
        if seq in left.single:
            left.single.discard(seq)
        else:
            left.next = seq + 1
        self.add(targets_of(frame))
