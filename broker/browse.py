"""Browsing: reading what is ready in a queue without taking it."""

from __future__ import annotations

from segue.broker.queue import Queue

__all__ = ["Browser"]


class Browser:
    """A walk over what was ready when it began: returned and unread messages, in order.

    What leaves the queue meanwhile may or may not be seen; what comes is not.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        cursor = queue.cursor
        self._returned = sorted(cursor.returned)
        self._next = cursor.next
        self._end = queue.log.durable

    async def chunk(self, bytes_max: int) -> list[tuple[int, bytes]]:
        """The next messages (sequence number, record), about `bytes_max` bytes of them; none at the end.

        Raises:
            OSError, sqlite3.Error, StorageError: what lies on disk can't be read.
        """
        if self._returned:
            seq = self._returned.pop(0)
            found = await self._read(seq, seq + 1, 1)
            return found or await self.chunk(bytes_max)
        while self._next < self._end:
            found = await self._read(self._next, self._end, bytes_max)
            if found:
                return found
        return []

    async def _read(self, seq: int, end: int, bytes_max: int) -> list[tuple[int, bytes]]:
        """Messages of [seq, end) from memory or disk; moves `_next` behind what is settled for good."""
        log = self._queue.log
        found: list[tuple[int, bytes]] = []
        size = 0
        while seq < end and size < bytes_max and (record := log.find(seq)) is not None:
            found.append((seq, record))
            size += len(record)
            seq += 1
        if not found and seq < log.ram_first:
            blocks, _, seq = await log.store.reader.read_range(log, seq, end, bytes_max)
            found = [(s, record) for first, records in blocks for s, record in enumerate(records, first) if s < end]
        elif not found:
            seq += 1  # it was taken and settled meanwhile
        if end == self._end:
            self._next = max(self._next, seq)
        return found
