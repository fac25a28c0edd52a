"""Browsing: reading what is ready in a queue without taking it."""

from __future__ import annotations

from collections import deque
from itertools import chain, dropwhile, repeat

from segue.broker.headers import Headers
from segue.broker.levels import SEQ_BITS, SEQ_MASK
from segue.broker.log_part import read_part
from segue.broker.queue import Queue
from segue.broker.selector import Selector
from segue.storage.api import CONDEMNED, Cursor

__all__ = ["Browser"]


class Browser:
    """A walk over what was ready when it began, in the order in which it would be delivered.

    What leaves the queue meanwhile may or may not be seen; what comes is not.
    """

    def __init__(self, queue: Queue, selector: Selector | None = None, *, after: int = 0) -> None:
        """`selector`: what is shown; None: everything. `after`: the number of a message to begin behind."""
        queue.node.idle_queues.used(queue)
        cursors = [(0, queue.cursor)] if isinstance(queue.cursor, Cursor) else list(queue.cursor.cursors())
        if after:
            which = after >> SEQ_BITS << SEQ_BITS
            cursors = list(dropwhile(lambda one: one[0] != which, cursors))
        # Only of the first one is a part behind it: levels are walked one after the other.
        begins = chain([after & SEQ_MASK], repeat(0))
        self._all = [
            (tag, _Walk(queue, cursor, selector, begin)) for (tag, cursor), begin in zip(cursors, begins, strict=False)
        ]
        self._walks = deque(self._all)

    def rewind(self) -> None:
        """Go once more over what is left of it."""
        self._walks = deque(self._all)
        for _, walk in self._all:
            walk.rewind()

    async def chunk(self, bytes_max: int) -> list[tuple[int, bytes]]:
        """The next messages (number, record), about `bytes_max` bytes of them; none at the end.

        Raises:
            UnreadableError: what lies on disk can't be read.
        """
        while self._walks:
            tag, walk = self._walks[0]
            if found := await walk.chunk(bytes_max):
                return [(tag + seq, record) for seq, record in found] if tag else found
            self._walks.popleft()
        return []


class _Walk:
    """Over one cursor: returned and unread messages."""

    def __init__(self, queue: Queue, cursor: Cursor, selector: Selector | None, after: int) -> None:
        self._queue = queue
        self._cursor = cursor
        self._selector = selector
        self._end = cursor.log.durable
        self._after = after
        self.rewind()

    def rewind(self) -> None:
        returned = self._cursor.returned.items()
        waiting = [seq for seq, standing in returned if standing < CONDEMNED and self._after < seq < self._end]
        self._returned = deque(sorted(waiting))
        self._next = max(self._cursor.next, self._after + 1)

    async def chunk(self, bytes_max: int) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        cursor = self._cursor
        while self._returned and not found:
            seq = self._returned.popleft()
            if cursor.returned.get(seq, CONDEMNED) < CONDEMNED:
                found, _ = await self._read(seq, seq + 1, 1)
        # What consumers have taken meanwhile may be a long gap, and to look for each of them takes long.
        self._next = max(self._next, cursor.next)
        while self._next < self._end and not found:
            if cursor.gaps is not None:
                self._next = cursor.gaps.end(self._next)
            found, self._next = await self._read(self._next, self._end, bytes_max)
        return found

    async def _read(self, seq: int, end: int, bytes_max: int) -> tuple[list[tuple[int, bytes]], int]:
        found, upto = await read_part(self._cursor.log, seq, end, bytes_max, f"queue '{self._queue.name}'")
        return self._shown(found), upto

    def _shown(self, messages: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        expiry, selector = self._queue.dispatcher.expiry, self._selector
        gaps = self._cursor.gaps
        if gaps is not None:
            messages = [message for message in messages if message[0] not in gaps]
        if expiry is not None:
            now_ms = expiry.now_ms()
            messages = [(seq, record) for seq, record in messages if expiry.deadline(record) > now_ms]
        if selector is not None:
            messages = [(seq, record) for seq, record in messages if selector.matches(Headers(record))]
        return messages
