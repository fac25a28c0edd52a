"""The checkpoint: brings what is still owed from the journal's older part into segments and the catalog.

Three steps (DESIGN §3.3). `Snapshot` is taken in one step of the event loop when a batch is sealed, so it is the
state exactly behind that batch. `write` runs beside the event loop, once that batch is durable; its catalog commit
is the checkpoint. `swap` happens in one step again.

A crash before the commit leaves segment files that the catalog does not name: recovery removes them. A crash after
it leaves dead files, which recovery removes too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

import trio

from segue.storage.catalog import Catalog, CatalogChange, CursorState, LogState
from segue.storage.disk import Disk
from segue.storage.log import Extent, Log
from segue.storage.segment import (
    READ_ERRORS,
    PackedBlock,
    blocks_of,
    read_blocks,
    segment_path,
    unpack_block,
    write_segment,
)

if TYPE_CHECKING:
    from segue.storage.cursor import Cursor

__all__ = ["Checkpoint", "LogSnapshot", "read_extent", "snapshot_of"]

_SPARSE_BELOW: Final = 0.25
"""A segment with a smaller part of its messages still owed is rewritten."""
_REWRITE_MESSAGES_MAX: Final = 50_000
"""Most messages that one checkpoint rewrites for a log, so that it does not take long."""


@dataclass(slots=True)
class LogSnapshot:
    """A log as it was behind the batch of the snapshot."""

    log: Log
    head: int
    spilling: dict[int, bytes]
    spilled_bytes: int
    cursors: list[CursorState]
    holes: list[int] = field(default_factory=list)
    """Unsettled numbers below the lowest `next`, of all cursors, rising."""
    unread: int = 0
    """Everything from here on is owed by some cursor."""

    def owes(self, first: int, last: int) -> int:
        """How many messages in [first, last] are still owed, at most."""
        if last >= self.unread:
            return last - max(first, self.unread) + 1 + self._holes_in(first, self.unread - 1)
        return self._holes_in(first, last)

    def owed(self, seq: int) -> bool:
        """True when some cursor still needs this message."""
        if seq >= self.unread:
            return True
        index = bisect_left(self.holes, seq)
        return index < len(self.holes) and self.holes[index] == seq

    def _holes_in(self, first: int, last: int) -> int:
        return bisect_left(self.holes, last + 1) - bisect_left(self.holes, first)


def snapshot_of(log: Log) -> LogSnapshot:
    """Copy what a checkpoint needs of a log, and turn `hot` into `spilling`. One step of the event loop."""
    cursors = [_cursor_state(cursor) for cursor in log.cursors]
    unread = min((state.next for state in cursors), default=log.sealed)
    holes: set[int] = set()
    for state in cursors:
        holes.update(state.holes)
    bytes_before = log.hot_bytes
    spilling = log.begin_spill()
    return LogSnapshot(log, log.sealed, spilling, bytes_before, cursors, sorted(s for s in holes if s < unread), unread)


def _cursor_state(cursor: Cursor) -> CursorState:
    return CursorState(cursor.id, cursor.log.id, cursor.next, cursor.asked, cursor.holes(), cursor.definition)


@dataclass(slots=True)
class _Result:
    extents: list[Extent]
    dead_paths: list[str]


class Checkpoint:
    """One checkpoint: made of the snapshots of all changed logs."""

    def __init__(self, logs: list[LogSnapshot], dropped: list[Log], change: CatalogChange, now_ms: int) -> None:
        """`dropped` are logs that were deleted since the last checkpoint."""
        self._logs = logs
        self.change = change
        self.dropped = dropped
        self._reached = False
        self._now_ms = now_ms
        self._results: list[tuple[LogSnapshot, _Result]] = []
        self._dead_paths = [extent.path for log in dropped for extent in log.extents if extent.path]

    def reached(self, lsn: int, previous: int) -> bool:
        """The batch of the snapshot is durable: replay will start at `lsn`. True when that is news."""
        if self._reached:
            return False
        self._reached = True
        self.change.lsn, self.change.previous = lsn, previous
        return True

    async def write(self, disk: Disk, catalog: Catalog, segment_bytes_min: int) -> None:
        """Write segments and the catalog. On return the checkpoint is durable.

        Raises:
            OSError, sqlite3.Error: nothing has changed; the segments of this try are garbage and removed.
        """
        written: list[str] = []
        try:
            for snapshot in self._logs:
                result = await self._write_log(disk, catalog, snapshot, segment_bytes_min, written.append)
                self._results.append((snapshot, result))
                self.change.logs.append(LogState(snapshot.log.id, snapshot.head, snapshot.log.definition))
                self.change.cursors += snapshot.cursors
            await catalog.apply(self.change)
        except BaseException:
            with trio.CancelScope(shield=True):
                for path in written:
                    await trio.to_thread.run_sync(disk.unlink, path)
            raise

    def swap(self) -> None:
        """Let the logs know where their messages are now. One step of the event loop."""
        for snapshot, result in self._results:
            snapshot.log.end_spill(result.extents, snapshot.spilled_bytes)

    def abort(self) -> None:
        """The write failed: what was to be spilled stays in memory. One step of the event loop."""
        for snapshot in self._logs:
            snapshot.log.abort_spill()

    def remove_dead(self, disk: Disk) -> None:
        """Unlink segments that nobody needs. Blocks; runs in a thread."""
        for _, result in self._results:
            self._dead_paths += result.dead_paths
        folders = {path.rpartition("/")[0] for path in self._dead_paths}
        for path in self._dead_paths:
            disk.unlink(path)
        for folder in folders:
            disk.remove_directory(folder)

    async def _write_log(
        self,
        disk: Disk,
        catalog: Catalog,
        snapshot: LogSnapshot,
        segment_bytes_min: int,
        written: Callable[[str], None],
    ) -> _Result:
        log, change = snapshot.log, self.change
        sorted_ = _sort_extents(snapshot, segment_bytes_min)
        extents = sorted_.kept
        # Stragglers of sparse segments become loose blocks in their old place.
        for extent in sorted_.sparse:
            messages = await _read_owed(disk, catalog, snapshot, extent)
            if messages is None:
                extents.append(extent)  # damaged: it stays as it is, for a reader to find and an operator to see
                continue
            sorted_.dead.append(extent)
            extents += self._loose(log.id, iter(messages))
        # Loose blocks at the end, once there are enough of them, form a segment with what is spilled now.
        old: list[tuple[int, bytes]] = []
        for extent in sorted_.tail:
            messages = await _read_owed(disk, catalog, snapshot, extent)
            if messages is None:
                extents.append(extent)
                continue
            sorted_.dead.append(extent)
            old += messages
        for extent in sorted_.dead:
            (change.gone_segments if extent.path else change.gone_loose).append((log.id, extent.first))
        spilled = _owed_of(snapshot)
        if sum(len(record) for _, record in old) + snapshot.spilled_bytes >= segment_bytes_min:
            extents += await self._segment(disk, catalog.salt, log.id, chain(old, spilled), written)
        else:
            extents += self._loose(log.id, chain(old, spilled))
        extents.sort()
        return _Result(extents, [extent.path for extent in sorted_.dead if extent.path])

    async def _segment(
        self, disk: Disk, salt: int, log_id: int, messages: Iterator[tuple[int, bytes]], written: Callable[[str], None]
    ) -> list[Extent]:
        first_message = next(messages, None)
        if first_message is None:
            return []
        first = first_message[0]
        tally = _Tally(first)
        temporary = segment_path(log_id, first, 0)
        written(temporary)
        await write_segment(disk, temporary, log_id, salt, blocks_of(tally.count(first_message, messages)))
        path = segment_path(log_id, first, tally.last)
        # The name tells the range, and that is known only when all is written.
        await trio.to_thread.run_sync(disk.rename, temporary, path)
        await trio.to_thread.run_sync(disk.sync_directory, path.rpartition("/")[0])
        written(path)
        extent = Extent(first, tally.last, path, tally.messages, tally.bytes, self._now_ms)
        self.change.segments.append((log_id, extent))
        return [extent]

    def _loose(self, log_id: int, messages: Iterator[tuple[int, bytes]]) -> list[Extent]:
        extents = []
        for block in blocks_of(messages):
            self.change.loose.append((log_id, self._now_ms, block))
            extents.append(Extent(block[0], block[1], "", block[2], len(block[3]), self._now_ms))
        return extents


class _Tally:
    """Counts messages on their way into a segment."""

    def __init__(self, first: int) -> None:
        self.last = first
        self.messages = 0
        self.bytes = 0

    def count(self, first: tuple[int, bytes], rest: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        for message in (first,):
            self._add(message)
            yield message
        for message in rest:
            self._add(message)
            yield message

    def _add(self, message: tuple[int, bytes]) -> None:
        self.last = message[0]
        self.messages += 1
        self.bytes += len(message[1])


@dataclass(slots=True)
class _Extents:
    kept: list[Extent] = field(default_factory=list)
    dead: list[Extent] = field(default_factory=list)
    sparse: list[Extent] = field(default_factory=list)
    tail: list[Extent] = field(default_factory=list)


def _sort_extents(snapshot: LogSnapshot, segment_bytes_min: int) -> _Extents:
    """What happens to each extent of a log."""
    found = _Extents()
    budget = _REWRITE_MESSAGES_MAX
    for extent in snapshot.log.extents:
        owes = snapshot.owes(extent.first, extent.last)
        if owes == 0:
            found.dead.append(extent)
        elif extent.path and owes < extent.count * _SPARSE_BELOW and owes <= budget:
            found.sparse.append(extent)
            budget -= owes
        else:
            found.kept.append(extent)
    last_segment = max((extent.last for extent in (*found.kept, *found.sparse) if extent.path), default=0)
    tail = [extent for extent in found.kept if not extent.path and extent.first > last_segment]
    if tail and sum(extent.bytes for extent in tail) + snapshot.spilled_bytes >= segment_bytes_min:
        found.tail = tail
        found.kept = found.kept[: len(found.kept) - len(tail)]
    return found


async def _read_owed(
    disk: Disk, catalog: Catalog, snapshot: LogSnapshot, extent: Extent
) -> list[tuple[int, bytes]] | None:
    """The messages of an extent that are still owed; None when one of them is damaged or can't be read."""
    messages: list[tuple[int, bytes]] = []
    seq, done = extent.first, False
    while not done:
        try:
            rows, done = await read_extent(disk, catalog, snapshot.log.id, extent, seq, extent.last + 1, 1 << 20)
        except READ_ERRORS:
            return None
        for row in rows:
            runs, bad = unpack_block(*row)
            if any(snapshot.owed(s) for s, _ in bad):
                return None
            messages += [
                (s, record) for first, records in runs for s, record in enumerate(records, first) if snapshot.owed(s)
            ]
        seq = rows[-1][1] + 1 if rows else extent.last + 1
    return messages


async def read_extent(
    disk: Disk, catalog: Catalog, log_id: int, extent: Extent, seq: int, end: int, bytes_max: int
) -> tuple[list[PackedBlock], bool]:
    """Blocks of a segment or of the catalog's loose ones: see `segment.read_blocks`."""
    if extent.path:
        return await read_blocks(disk, extent.path, log_id, catalog.salt, seq, end, bytes_max)
    return await catalog.loose_blocks(log_id, seq, end, bytes_max)


def _owed_of(snapshot: LogSnapshot) -> Iterator[tuple[int, bytes]]:
    """What is spilled and still owed, rising. Runs in a database's thread."""
    unread = snapshot.unread
    for seq, record in snapshot.spilling.items():
        if seq >= unread or snapshot.owed(seq):
            yield seq, record
