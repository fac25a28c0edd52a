"""A walk over what waits in a bucket, without taking it: for lists, for cancelling, for counting."""

from __future__ import annotations

from collections import deque

from segue.broker.log_part import read_part
from segue.broker.schedule.bucket import Bucket

__all__ = ["Walk"]


class Walk:
    """What was in a bucket when the walk began; what leaves it meanwhile may or may not be seen."""

    def __init__(self, bucket: Bucket, only: int | None = None) -> None:
        """`only`: the number of the one message that is wanted; None for all."""
        self.bucket = bucket
        self._single = deque(sorted(bucket.cursor.holes()) if only is None else [only])
        self._next = bucket.cursor.next
        self._end = bucket.log.durable if only is None else 0

    async def chunk(self, bytes_max: int) -> list[tuple[int, bytes]]:
        """The next messages with their numbers, about `bytes_max` bytes of them; none at the end.

        All of them are there when this returns: who does something with one in the same step does it in time.

        Raises:
            UnreadableError: what lies on disk can't be read.
        """
        found: list[tuple[int, bytes]] = []
        while self._single and not found:
            seq = self._single.popleft()
            found, _ = await self._read(seq, seq + 1, 1)
        while self._next < self._end and not found:
            found, self._next = await self._read(self._next, self._end, bytes_max)
        return found

    async def _read(self, seq: int, end: int, bytes_max: int) -> tuple[list[tuple[int, bytes]], int]:
        found, upto = await read_part(self.bucket.log, seq, end, bytes_max, "delayed messages")
        return [message for message in found if self.bucket.owes(message[0])], upto
