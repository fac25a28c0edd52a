"""Reading old messages from disk beside the event loop: read-ahead for cursors, and single returned messages."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio

from segue.storage.catalog import Catalog
from segue.storage.checkpoint import read_extent
from segue.storage.log import Log
from segue.storage.segment import READ_ERRORS, PackedBlock, unpack_block
from segue.storage.window import Block

if TYPE_CHECKING:
    from segue.storage.cursor import Cursor
    from segue.storage.store import Store

__all__ = ["ColdReader"]

_READERS: Final = 2
"""Reads at a time: each is a thread for a moment."""
_RETRY_SECONDS: Final = 5.0
"""After a failed read, its queue tries again this much later."""

class ColdReader:
    """Serves reads one after the other.

    Attributes:
        reads: reads done so far.
        bytes_read: record bytes that they brought.
    """

    def __init__(self, store: Store, catalog: Catalog, read_bytes: int) -> None:
        self._store = store
        self._disk = store.disk
        self._catalog = catalog
        self._read_bytes = read_bytes
        self._send, self._receive = trio.open_memory_channel[Callable[[], Awaitable[None]]](math.inf)
        self._retries: trio.Nursery | None = None
        self.reads = 0
        self.bytes_read = 0

    async def serve(self) -> None:
        """Read until cancelled."""
        async with trio.open_nursery() as nursery:
            self._retries = nursery
            for _ in range(_READERS):
                nursery.start_soon(self._work)

    def read_ahead(self, cursor: Cursor, seq: int) -> None:
        """Fill a cursor's window from `seq` on, then call its listener."""
        generation = cursor.window.generation
        self._send.send_nowait(lambda: self._read_ahead(cursor, seq, generation))

    def fetch(self, cursor: Cursor, seq: int) -> None:
        """Bring returned messages from `seq` on into `cursor.fetched`, then call its listener."""
        self._send.send_nowait(lambda: self._fetch(cursor, seq))

    async def read_range(
        self, log: Log, seq: int, end: int, bytes_max: int
    ) -> tuple[list[Block], list[tuple[int, str]], int]:
        """Records of a log that lie on disk, from `seq` on and below `end`.

        Returns:
            Blocks, damaged messages (number, reason), and the number below which the answer is complete.

        Raises:
            READ_ERRORS: a segment can't be read.
        """
        end = min(end, log.ram_first)
        blocks: list[Block] = []
        bad: list[tuple[int, str]] = []
        total = 0
        while seq < end and total < bytes_max:
            index = log.extent_at(seq)
            if index >= len(log.extents) or log.extents[index].first >= end:
                return blocks, bad, end
            extent = log.extents[index]
            try:
                rows, _ = await read_extent(self._disk, self._catalog, log.id, extent, seq, end, bytes_max - total)
            except READ_ERRORS:
                if extent in log.extents:
                    raise
                continue  # a checkpoint has replaced it meanwhile
            total += _unpack(rows, blocks, bad)
            seq = rows[-1][1] + 1 if rows else extent.last + 1
        self.bytes_read += total
        return blocks, bad, min(seq, end) if seq < end else end

    async def _work(self) -> None:
        async for job in self._receive:
            await job()
            self.reads += 1

    async def _read_ahead(self, cursor: Cursor, seq: int, generation: int) -> None:
        try:
            blocks, bad, upto = await self.read_range(cursor.log, seq, 1 << 62, self._read_bytes)
        except READ_ERRORS as error:
            cursor.window.failed(generation)
            self._fault(cursor, error)
            return
        if generation == cursor.window.generation:
            for damaged, reason in bad:
                cursor.quarantine_unread(damaged, reason)
                self._store.on_fault(cursor.log, f"message {damaged}: {reason}")
            cursor.window.fill(generation, blocks, upto)
        self._tell(cursor)

    async def _fetch(self, cursor: Cursor, seq: int) -> None:
        try:
            blocks, bad, _ = await self.read_range(cursor.log, seq, seq + 64, 1)
        except READ_ERRORS as error:
            cursor.fetching = False
            self._fault(cursor, error)
            return
        cursor.fetching = False
        found = {s: record for first, records in blocks for s, record in enumerate(records, first)}
        reasons = dict(bad)
        if seq not in found and cursor.log.find(seq) is None and seq in cursor.returned:
            reason = reasons.get(seq, "it is in no segment")
            cursor.quarantine(seq, reason)
            self._store.on_fault(cursor.log, f"message {seq}: {reason}")
        cursor.fetched = {s: record for s, record in found.items() if s in cursor.returned}
        self._tell(cursor)

    def _fault(self, cursor: Cursor, error: BaseException) -> None:
        cursor.fault = str(error)
        self._store.on_fault(cursor.log, f"can't be read: {error}")
        assert self._retries is not None
        self._retries.start_soon(self._retry, cursor)

    async def _retry(self, cursor: Cursor) -> None:
        await trio.sleep(_RETRY_SECONDS)
        cursor.fault = ""
        self._tell(cursor)

    def _tell(self, cursor: Cursor) -> None:
        if cursor.listener is not None:
            cursor.listener()
            self._store.after_step()


def _unpack(rows: list[PackedBlock], blocks: list[Block], bad: list[tuple[int, str]]) -> int:
    total = 0
    for row in rows:
        runs, damaged = unpack_block(*row)
        blocks += runs
        bad += damaged
        total += len(row[3])
    return total
