"""Reading old messages from disk beside the event loop: read-ahead for cursors, and single returned messages.

All windows together are bounded: past `WINDOWS_BYTES_MAX` the ones that were filled longest ago are thrown away, and
their cursors read again when they come to it. So ten thousand deep queues cost no more memory than a hundred.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio

from segue.storage.block import BLOCK_BYTES_MAX
from segue.storage.catalog import Catalog
from segue.storage.extents import READ_ERRORS, ExtentReader, Part
from segue.storage.log import Log
from segue.storage.quarantine import Damage

if TYPE_CHECKING:
    from segue.storage.cursor import Cursor
    from segue.storage.holes import Holes
    from segue.storage.store import Store

__all__ = ["WINDOWS_BYTES_MAX", "ColdReader"]

WINDOWS_BYTES_MAX: Final = 64 << 20
"""Records read ahead, over all cursors."""
_READERS: Final = 2
"""Reads at a time: each is a thread for a moment."""
_RETRY_SECONDS: Final = 5.0
"""After a failed read, its queue tries again this much later."""
_END: Final = 1 << 62


class ColdReader:
    """Serves reads one after the other.

    Attributes:
        extents: reads without a cursor, for a checkpoint or a start.
        reads: reads done so far.
        windows_bytes: an upper bound of what is read ahead, over all cursors.
    """

    def __init__(self, store: Store, catalog: Catalog, read_bytes: int) -> None:
        self.extents = ExtentReader(store.disk, catalog)
        self._store = store
        self._read_bytes = read_bytes
        self._send, self._receive = trio.open_memory_channel[Callable[[], Awaitable[None]]](math.inf)
        self._retries: trio.Nursery | None = None
        self._windows: dict[Cursor, int] = {}
        self.reads = 0
        self.windows_bytes = 0

    @property
    def bytes_read(self) -> int:
        """Bytes of records read from disk so far."""
        return self.extents.bytes_read

    async def serve(self) -> None:
        """Read until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._retries = nursery
                for _ in range(_READERS):
                    nursery.start_soon(self._work)
        finally:
            with trio.CancelScope(shield=True):
                await self.extents.close()

    def read_ahead(self, cursor: Cursor, seq: int) -> None:
        """Fill a cursor's window from `seq` on, then call its listener."""
        generation = cursor.window.generation
        self._send.send_nowait(lambda: self._read_ahead(cursor, seq, generation))

    def fetch(self, cursor: Holes, seq: int) -> None:
        """Bring returned messages from `seq` on into `cursor.fetched`, then call its listener."""
        self._send.send_nowait(lambda: self._fetch(cursor, seq))

    def run(self, job: Callable[[], Awaitable[None]]) -> None:
        """Do this as one of the reads, when its turn comes; it may await `read_range`."""
        self._send.send_nowait(job)

    def forget(self, cursor: Cursor) -> None:
        """The cursor is deleted."""
        self.windows_bytes -= self._windows.pop(cursor, 0)

    async def read_range(self, log: Log, seq: int, end: int, bytes_max: int) -> Part:
        """Records of a log that lie on disk, from `seq` on and below `end`.

        Returns:
            Runs of records, what is damaged, and the number below which the answer is complete.

        Raises:
            READ_ERRORS: the disk does not give them now.
        """
        return await self.extents.read_range(log, seq, end, bytes_max)

    async def _work(self) -> None:
        async for job in self._receive:
            await job()
            self.reads += 1

    async def _read_ahead(self, cursor: Cursor, seq: int, generation: int) -> None:
        if generation != cursor.window.generation:
            # Its window was thrown away for the sake of others while this read waited for its turn. Whoever waits for
            # the read would wait for ever: he is told, finds nothing, and asks anew.
            self._tell(cursor)
            return
        try:
            part = await self.read_range(cursor.log, seq, _END, self._read_bytes)
        except READ_ERRORS as error:
            cursor.window.failed(generation)
            self._fault(cursor, error)
            return
        if generation == cursor.window.generation:
            cursor.window.fill(generation, *part)
            self._report(cursor, part)
            self._account(cursor)
        self._tell(cursor)

    async def _fetch(self, cursor: Holes, seq: int) -> None:
        try:
            part = await self.read_range(cursor.log, seq, seq + 1, BLOCK_BYTES_MAX)
        except READ_ERRORS as error:
            cursor.fetching = False
            self._fault(cursor, error)
            return
        cursor.fetching = False
        found = {s: record for first, records in part.runs for s, record in enumerate(records, first)}
        cursor.fetched = {s: record for s, record in found.items() if s in cursor.returned}
        if seq in cursor.returned and seq not in found and cursor.log.find(seq) is None:
            part = part._replace(damage=part.damage or [Damage(seq, seq, "it is in no segment")])
            self._report(cursor, part)
            for damage in part.damage:
                cursor.quarantine(damage)
        self._tell(cursor)

    def _account(self, cursor: Cursor) -> None:
        self.windows_bytes += cursor.window.bytes - self._windows.pop(cursor, 0)
        self._windows[cursor] = cursor.window.bytes
        while self.windows_bytes > WINDOWS_BYTES_MAX and len(self._windows) > 1:
            oldest = next(iter(self._windows))
            self.windows_bytes -= self._windows.pop(oldest)
            oldest.window.clear()

    def _report(self, cursor: Holes, part: Part) -> None:
        if cursor.id in self._store.cursors:
            for first, last, reason in part.damage:
                which = f"message {first}" if first == last else f"messages {first} to {last}"
                self._store.on_fault(cursor.log, f"{which} set aside: {reason}")

    def _fault(self, cursor: Holes, error: BaseException) -> None:
        if cursor.id in self._store.cursors:
            cursor.fault = str(error)
            self._store.on_fault(cursor.log, f"can't be read: {error}")
            assert self._retries is not None
            self._retries.start_soon(self._retry, cursor)
            self._tell(cursor)  # who waits for it may go on with something else

    async def _retry(self, cursor: Holes) -> None:
        await trio.sleep(_RETRY_SECONDS)
        cursor.fault = ""
        self._tell(cursor)

    def _tell(self, cursor: Holes) -> None:
        if cursor.listener is not None:
            cursor.listener()
            self._store.after_step()
