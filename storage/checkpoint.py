"""The checkpoint: brings what is still owed from the journal's older part into segments and the catalog.

Three steps (DESIGN §3.3). A `LogSnapshot` of each changed log is taken in one step of the event loop when a batch is
sealed, so it is the state exactly behind that batch. `write` runs beside the event loop, once that batch is durable;
its catalog commit is the checkpoint, and `_swap` happens in one step with that.

A crash before the commit leaves segment files that the catalog does not name: recovery removes them. A crash after
it leaves dead files, which recovery removes too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

import trio

from segue.storage.block import blocks_of
from segue.storage.catalog import Catalog
from segue.storage.catalog_rows import CatalogChange, LogState
from segue.storage.disk import Disk
from segue.storage.errors import DiskFailureError
from segue.storage.extents import READ_ERRORS, ExtentReader, Part, piece_of
from segue.storage.log import Extent, Log
from segue.storage.quarantine import Damage
from segue.storage.segment import segment_path, write_segment
from segue.storage.snapshot import LogSnapshot, Sorting, sort_extents

__all__ = ["Checkpoint"]

_READ_BYTES: Final = 1 << 20
_LOGS_A_SLICE: Final = 64
"""Logs whose loose blocks are made before others have their turn: one or two milliseconds."""


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
        self._now_ms = now_ms
        self._results: list[tuple[LogSnapshot, _Result]] = []
        self._written: list[str] = []
        self._dead_paths = [extent.path for log in dropped for extent in log.extents if extent.path]

    def reached(self, lsn: int, previous: int) -> bool:
        """The batch of the snapshot is durable: replay will start at `lsn`. True when that is news."""
        if self.change.lsn >= 0:
            return False
        self.change.lsn, self.change.previous = lsn, previous
        return True

    async def write(self, disk: Disk, catalog: Catalog, segment_bytes_min: int) -> None:
        """Write segments and the catalog. On return the checkpoint is durable, and the logs know of it.

        Raises:
            OSError, DatabaseDamagedError: nothing has changed; the segments of this try are removed.
            DiskFailureError: whether it is durable is not known. The segments stay: the next start sorts it out.
        """
        reader = ExtentReader(disk, catalog)
        try:
            for number, snapshot in enumerate(self._logs):
                if number % _LOGS_A_SLICE == 0:
                    # Logs without a segment to write are done without waiting for anything: with ten thousand of them
                    # everybody else would stand still for hundreds of milliseconds.
                    await trio.lowlevel.checkpoint()
                result = await self._write_log(disk, reader, catalog.salt, snapshot, segment_bytes_min)
                self._results.append((snapshot, result))
                self.change.logs.append(LogState(snapshot.log.id, snapshot.head, snapshot.log.definition))
                self.change.cursors += snapshot.cursors
            await catalog.apply(self.change, self._swap)
        except DiskFailureError:
            raise
        except BaseException:
            with trio.CancelScope(shield=True), contextlib.suppress(OSError):
                for path in self._written:
                    await trio.to_thread.run_sync(disk.unlink, path)
            raise
        finally:
            with trio.CancelScope(shield=True):
                await reader.close()

    def abort(self) -> None:
        """The write failed: what was to be spilled stays in memory. One step of the event loop."""
        for snapshot in self._logs:
            snapshot.log.abort_spill(snapshot.spilled_bytes)

    def dead_extents(self) -> list[tuple[Log, list[Extent]]]:
        """What no cursor owes any more, of segments: it may go even while the rest can't be written."""
        for snapshot in self._logs:
            snapshot.work_out()
        found = [(s.log, [e for e in s.log.extents if e.path and not s.owes(e.first, e.last)]) for s in self._logs]
        found += [(log, [extent for extent in log.extents if extent.path]) for log in self.dropped]
        return [(log, extents) for log, extents in found if extents]

    async def remove_dead(self, disk: Disk) -> None:
        """Unlink segments that nobody needs.

        Raises:
            OSError: some are still there; the next start removes them.
        """
        for _, result in self._results:
            self._dead_paths += result.dead_paths
        for path in self._dead_paths:
            began = trio.current_time()
            await trio.to_thread.run_sync(disk.unlink, path)
            # 30 ms of a processor for a file of 64 MiB, in the kernel: all files of a purged queue one behind the other
            # would take it, and the disk, from everybody for seconds.
            await trio.sleep(trio.current_time() - began)
        for folder in {path.rpartition("/")[0] for path in self._dead_paths}:
            await trio.to_thread.run_sync(disk.remove_directory, folder)

    def _swap(self) -> None:
        for snapshot, result in self._results:
            snapshot.log.end_spill(result.extents, snapshot.spilled_bytes)

    async def _write_log(
        self, disk: Disk, reader: ExtentReader, salt: int, snapshot: LogSnapshot, segment_bytes_min: int
    ) -> _Result:
        log = snapshot.log
        snapshot.work_out()
        sorting = sort_extents(snapshot, segment_bytes_min)
        extents = sorting.kept
        # Stragglers of sparse segments become loose blocks in their old place.
        for extent in sorting.sparse:
            extents += self._loose(log.id, iter(await self._take_over(reader, snapshot, [extent], sorting)))
        # Loose blocks at the end join what is spilled now.
        tail = await self._take_over(reader, snapshot, sorting.tail, sorting)
        for extent in sorting.dead:
            (self.change.gone_segments if extent.path else self.change.gone_loose).append((log.id, extent.first))
        messages = chain(tail, snapshot.owed_of_spilling())
        if sum(len(record) for _, record in tail) + snapshot.spilled_bytes >= segment_bytes_min:
            extents += await self._segment(disk, salt, log.id, messages)
        else:
            extents += self._loose(log.id, messages)
        extents.sort()
        return _Result(extents, [extent.path for extent in sorting.dead if extent.path])

    async def _take_over(
        self, reader: ExtentReader, snapshot: LogSnapshot, extents: list[Extent], sorting: Sorting
    ) -> list[tuple[int, bytes]]:
        """The messages of extents that are still owed; these are dead then. None of a damaged one: it stays."""
        messages: list[tuple[int, bytes]] = []
        damaged: list[Extent] = []
        rest, seq = extents, 0
        while rest:
            piece = piece_of(rest, _READ_BYTES)
            try:
                # Of a sparse segment most blocks have nothing to take over: to take each of them apart, a queue that is
                # worked off with some left behind would cost the event loop half a microsecond more for each message.
                part, _ = await reader.read(snapshot.log, piece, seq, _READ_BYTES, snapshot.owes)
            except READ_ERRORS as error:
                part = Part([], [Damage(piece[0].first, piece[-1].last, str(error))], piece[-1].last + 1)
            for damage in part.damage:
                if snapshot.owes(damage.first, damage.last):
                    damaged += [each for each in piece if each.first <= damage.last and each.last >= damage.first]
            for first, records in part.runs:
                messages += [(s, record) for s, record in enumerate(records, first) if snapshot.owed(s)]
            seq = part.upto
            rest = [extent for extent in rest if extent.last >= seq]
        for extent in extents:
            (sorting.kept if extent in damaged else sorting.dead).append(extent)
        return [message for message in messages if not any(each.first <= message[0] <= each.last for each in damaged)]

    async def _segment(self, disk: Disk, salt: int, log_id: int, messages: Iterator[tuple[int, bytes]]) -> list[Extent]:
        first_message = next(messages, None)
        if first_message is None:
            return []
        first = first_message[0]
        tally = _Tally(first)
        temporary = segment_path(log_id, first, 0)
        self._written.append(temporary)
        messages = tally.count(chain((first_message,), messages))
        await write_segment(disk, temporary, log_id, salt, blocks_of(messages))
        path = segment_path(log_id, first, tally.last)
        self._written.append(path)
        # The name tells the range, and that is known only when all is written.
        await trio.to_thread.run_sync(disk.rename, temporary, path)
        await trio.to_thread.run_sync(disk.sync_directory, path.rpartition("/")[0])
        file_bytes = await trio.to_thread.run_sync(disk.size, path)
        extent = Extent(first, tally.last, path, tally.messages, tally.size, self._now_ms, file_bytes)
        self.change.segments.append((log_id, extent))
        return [extent]

    def _loose(self, log_id: int, messages: Iterator[tuple[int, bytes]]) -> list[Extent]:
        extents = []
        for block in blocks_of(messages):
            self.change.loose.append((log_id, self._now_ms, block))
            extents.append(Extent(block.first, block.last, "", block.messages, len(block.records), self._now_ms))
        return extents


@dataclass(slots=True)
class _Tally:
    """Counts messages on their way into a segment."""

    last: int
    messages: int = 0
    size: int = 0

    def count(self, messages: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        for message in messages:
            self.last = message[0]
            self.messages += 1
            self.size += len(message[1])
            yield message
