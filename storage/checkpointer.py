"""When checkpoints are made, and what happens when one fails.

A snapshot is taken when a batch is sealed (then the checkpoint waits until that batch is durable) or while the store
is idle. One checkpoint at a time. One that fails leaves everything as it was, and is tried again after a pause that
grows; on a full disk, what nobody needs any more is removed at once, so that consumers who drain the store make the
space that the next try needs.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from segue.storage.catalog import Catalog
from segue.storage.catalog_rows import CatalogChange
from segue.storage.checkpoint import Checkpoint
from segue.storage.disk import Disk
from segue.storage.errors import DatabaseDamagedError, DiskFailureError
from segue.storage.log import Log
from segue.storage.snapshot import snapshot_of

if TYPE_CHECKING:
    from segue.storage.cursor import Cursor
    from segue.storage.store import Store

__all__ = ["Checkpointer"]

_PAUSE_SECONDS: Final = 1.0
_PAUSE_SECONDS_MAX: Final = 30.0
"""After a failure; doubled each time. A try may write a whole segment before it fails."""


class Checkpointer:
    """The checkpoints of one store.

    Attributes:
        done: checkpoints so far.
        fault: why the last one failed, empty when it did not.
        under_way: a snapshot was taken and is not yet swapped.
        replaying: the journal is being read, and not written.
    """

    def __init__(self, store: Store, catalog: Catalog, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._catalog = catalog
        self._now_ms = now_ms
        self.done = 0
        self.fault = ""
        self.under_way = False
        self.replaying = True
        self._dropped: list[Log] = []
        self._dropped_cursors: list[int] = []
        self._asked = False
        self._ready: Checkpoint | None = None
        self._wake = trio.Event()
        self._finished = trio.Event()
        self._last = trio.current_time()
        # What no checkpoint can spill must not set off one after the other.
        self._volatile_bytes = 0
        self._not_before = -1.0
        self._pause_seconds = _PAUSE_SECONDS

    @property
    def journal_bytes(self) -> int:
        """How much a crash now would have to replay."""
        return self._store.journal.position - self._catalog.lsn

    @property
    def dropped_logs(self) -> list[Log]:
        """Logs whose files wait for the next checkpoint to be removed."""
        return self._dropped

    def drop_log(self, log: Log) -> None:
        """A log was deleted."""
        self._dropped.append(log)

    def drop_cursor(self, cursor: Cursor) -> None:
        """A cursor was deleted."""
        self._dropped_cursors.append(cursor.id)

    def ask(self) -> None:
        """Take a snapshot with the next batch; after a failure, when its pause is over."""
        self._asked = True

    @property
    def due(self) -> bool:
        """True when the batch that is being sealed should take a snapshot with it."""
        if self.under_way:
            return False
        options = self._store.options
        now = trio.current_time()
        return now >= self._not_before and (
            self._asked
            or self.journal_bytes >= options.checkpoint_journal_bytes
            or self._store.hot_bytes - self._volatile_bytes >= options.hot_spill_bytes
            or now - self._last >= options.checkpoint_interval_seconds
        )

    def take_snapshot(self, next_id: int, *, clean: bool = False) -> Checkpoint:
        """The state behind the batch that was just sealed, or that of an idle store: `reached` tells where that is."""
        assert not self.under_way
        self.under_way = True
        self._asked = False
        self._last = trio.current_time()
        self._volatile_bytes = sum(log.hot_bytes for log in self._store.logs.values() if not log.journaled)
        change = CatalogChange(next_id=next_id, clean=clean)
        dropped, self._dropped = self._dropped, []
        change.dropped_logs = [log.id for log in dropped]
        change.dropped_cursors, self._dropped_cursors = self._dropped_cursors, []
        dirty, self._store.dirty = self._store.dirty, []
        snapshots = []
        for log in dirty:
            log.dirty = False
            if log.id in self._store.logs:
                snapshots.append(snapshot_of(log, clean=clean))
        self._ready = Checkpoint(snapshots, dropped, change, self._now_ms())
        return self._ready

    def durable(self, lsn: int, previous: int) -> None:
        """A batch is durable; perhaps it is the one that a snapshot waits for."""
        if self._ready is not None and self._ready.reached(lsn, previous):
            self._wake.set()

    async def serve(self) -> None:
        """Write checkpoints until cancelled.

        Raises:
            DiskFailureError: whether one is durable is not known. The process must end.
        """
        while True:
            with trio.move_on_after(self._longest_wait):
                await self._wake.wait()
            if self._wake.is_set():
                self._wake = trio.Event()
                await self.write()
            elif self._store.idle and not self.under_way and self._has_changes:
                # Quiet: nothing is under way, so the state right now is the state behind the last batch.
                self._snapshot_of_idle_store()
                await self.write()

    async def run(self) -> None:
        """Make a checkpoint now, of everything done so far, and wait for it.

        Raises:
            OSError: it failed; `fault` has the text.
        """
        self._asked = True
        self._not_before = -1.0
        while self._asked:
            if self.under_way:
                await self._finished.wait()
            elif self._store.idle:
                self._snapshot_of_idle_store()
                self._wake.set()
            else:
                await self._store.next_commit()
        if self.under_way:
            await self._finished.wait()
        if self.fault:
            raise OSError(self.fault)

    async def run_last(self, next_id: int) -> None:
        """The checkpoint of a clean stop: the store is drained, and nothing happens any more."""
        while self.under_way or not self._store.idle:
            if self.under_way:
                await self._finished.wait()
            else:
                await self._store.drain()  # its last batch may take a snapshot with it
        for cursor in self._store.cursors.values():
            if cursor.log.journaled and cursor.asked > max(cursor.next, cursor.maybe):
                cursor.log.touch()  # its promise falls back, so that nothing is flagged as a repeat in vain
        journal = self._store.journal
        self.take_snapshot(next_id, clean=True).reached(journal.position, journal.previous)
        await self.write()

    async def spill(self, lsn: int, previous: int) -> bool:
        """While the journal is replayed: write what is in memory, so that the rest finds room.

        Returns:
            False when the disk is full: then the rest has to fit into memory.
        """
        checkpoint = self.take_snapshot(self._store.next_id)
        checkpoint.reached(lsn, previous)
        await self.write()
        return not self.fault

    async def write(self) -> None:
        """Write the checkpoint whose snapshot was taken and whose batch is durable."""
        checkpoint = self._ready
        assert checkpoint is not None
        options = self._store.options
        try:
            await checkpoint.write(self._store.disk, self._catalog, options.segment_bytes_min)
        except (OSError, DatabaseDamagedError) as error:
            self._failed(checkpoint, error)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                await self._make_room(checkpoint)
        except DiskFailureError as error:
            self.fault = str(error)  # for whoever waits for it: he is told before the process ends
            raise
        else:
            await self._succeeded(checkpoint)
        finally:
            self._ready = None
            self.under_way = False
            finished, self._finished = self._finished, trio.Event()
            finished.set()

    @property
    def _has_changes(self) -> bool:
        return (
            bool(self._store.dirty or self._dropped or self._dropped_cursors)
            and trio.current_time() >= self._not_before
        )

    @property
    def _longest_wait(self) -> float:
        interval = self._store.options.checkpoint_interval_seconds
        pause = self._not_before - trio.current_time()
        return min(interval, pause) if pause > 0 else interval

    def _snapshot_of_idle_store(self) -> None:
        journal = self._store.journal
        self.take_snapshot(self._store.next_id).reached(journal.position, journal.previous)

    async def _succeeded(self, checkpoint: Checkpoint) -> None:
        self.fault = ""
        self.done += 1
        self._pause_seconds = _PAUSE_SECONDS
        self._not_before = -1.0
        with trio.CancelScope(shield=True):
            try:
                await checkpoint.remove_dead(self._store.disk)
                if not self.replaying:
                    await trio.to_thread.run_sync(self._store.journal.recycle, self._catalog.lsn)
                    self._store.journal.want_spares()
            except OSError as error:
                # The checkpoint counts; what could not be removed is garbage that the next start removes.
                self.fault = f"old files can't be removed: {error}"

    def _failed(self, checkpoint: Checkpoint, error: Exception) -> None:
        checkpoint.abort()
        self._dropped = checkpoint.dropped + self._dropped
        self._dropped_cursors = checkpoint.change.dropped_cursors + self._dropped_cursors
        self.fault = str(error)
        self._not_before = trio.current_time() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, _PAUSE_SECONDS_MAX)

    async def _make_room(self, checkpoint: Checkpoint) -> None:
        """The disk is full: let go of a spare journal file, and of segments that are wholly settled or of deleted logs.

        Removing them does not wait for the checkpoint: that nobody owes them stands in the journal, behind the LSN
        from which it would be replayed.
        """
        if not self.replaying:
            await trio.to_thread.run_sync(self._store.journal.give_up_spare)
        dead = checkpoint.dead_extents()
        change = CatalogChange()
        change.gone_segments = [(log.id, extent.first) for log, extents in dead for extent in extents]
        if not change.gone_segments:
            return

        def swap() -> None:
            for log, extents in dead:
                gone = set(extents)
                log.extents = [extent for extent in log.extents if extent not in gone]

        try:
            await self._catalog.apply(change, swap)
            paths = [extent.path for _, extents in dead for extent in extents]
            await trio.to_thread.run_sync(_unlink_all, self._store.disk, paths)
        except (OSError, DatabaseDamagedError) as error:
            self.fault = str(error)


def _unlink_all(disk: Disk, paths: list[str]) -> None:
    for path in paths:
        disk.unlink(path)
