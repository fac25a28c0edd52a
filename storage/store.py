"""The store: logs and cursors over a journal, group commit, and the checkpoints that keep the journal short.

Everything but `open_store` is called on the event loop; what is on the path of a message is a plain function.

Theory of operation. Changes gather in `batch`. `flush` seals it and hands it to the journal; while that is under way
the next one grows, so a sync that takes longer carries more: there is no timer. A batch that somebody waits for
(`want`) goes at once. What nobody waits for (acknowledgements without a receipt, delivery promises,
non-persistent messages) goes with the next wanted batch, or after `LAZY_SECONDS`.

A caller that makes several calls without an await between them gets them into one batch, and a batch is all there
or not at all after a crash: that is all a transaction is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import trio
import trio_asyncio

from segue.storage.batch import Batch, Run
from segue.storage.catalog import Catalog
from segue.storage.checkpointer import Checkpointer
from segue.storage.cold import ColdReader
from segue.storage.cursor import Cursor
from segue.storage.disk import Disk
from segue.storage.errors import UnusableDirectoryError
from segue.storage.journal import Journal
from segue.storage.log import Log
from segue.storage.recovery import Recovery, recover
from segue.storage.volatile import VolatileLog

__all__ = ["LAZY_SECONDS", "Store", "StoreOptions", "open_store"]

LAZY_SECONDS: Final = 0.02
"""Longest that a change stays in memory that nobody waits for."""


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Sizes of the store; the settings of the same names say what they mean."""

    journal_file_bytes: int = 64 << 20
    checkpoint_journal_bytes: int = 64 << 20
    checkpoint_interval_seconds: float = 30.0
    segment_bytes_min: int = 4 << 20
    batch_bytes_max: int = 8 << 20
    cold_read_bytes: int = 1 << 20
    replay_bytes_max: int = 256 << 20
    hot_bytes_max: int = 160 << 20


class Store:
    """An open data directory.

    Attributes:
        logs, cursors: by id.
        batch: what gathers for the next group commit.
        dirty: logs that the next checkpoint has to look at.
        hot_bytes: memory of all records in RAM.
        recovery: what the start found.
        checkpoints: checkpoints done so far.
        checkpoint_fault: why the last one failed, empty when it did not.
        on_fault: called with a log and a text when something can't be read.
        after_step: called at the end of each step that the store itself begins; must flush.
    """

    def __init__(self, disk: Disk, catalog: Catalog, options: StoreOptions, now_ms: Callable[[], int]) -> None:
        self.disk = disk
        self.options = options
        self.logs: dict[int, Log] = {}
        self.cursors: dict[int, Cursor] = {}
        self.batch = Batch()
        self.open_logs: list[Log] = []
        self.dirty: list[Log] = []
        self.hot_bytes = 0
        self.recovery = Recovery()
        self.checkpoints = 0
        self.checkpoint_fault = ""
        self.on_fault: Callable[[Log, str], None] = lambda log, text: None
        self.after_step: Callable[[], None] = self.flush
        self._catalog = catalog
        self._now_ms = now_ms
        self._next_id = catalog.next_id
        self._under_way: Batch | None = None
        self._reader = ColdReader(self, catalog, options.cold_read_bytes)
        self._dropped: list[Log] = []
        self._dropped_cursors: list[int] = []
        self._lazy = trio.Event()
        self._lazy_armed = False
        self._checkpoint_asked = False
        self._checkpointing = False
        self._checkpoint_ready: Checkpoint | None = None
        self._checkpoint_wake = trio.Event()
        self._checkpoint_done = trio.Event()
        self._last_checkpoint = trio.current_time()
        self._volatile_id = -1
        self.journal: Journal

    # -- definitions

    def create_log(self, definition: dict[str, Any], *, journaled: bool = True) -> Log:
        """A new, empty log. `definition` is the caller's own JSON object; it survives with the log.

        Durability: with the batch that is open now. A log with `journaled=False` lives in memory only.
        """
        kind = Log if journaled else VolatileLog
        log = kind(self, self._new_id(journaled), definition, journaled=journaled)
        self.logs[log.id] = log
        if journaled:
            self.batch.definitions.append({"do": "log", "id": log.id, "definition": definition})
            log.touch()
        return log

    def create_cursor(self, log: Log, definition: dict[str, Any], *, at_head: bool = False) -> Cursor:
        """A new cursor on a log, at its first record, or behind its last one."""
        first = log.head if at_head else log.low
        cursor = Cursor(self._new_id(log.journaled), log, definition, first)
        self.cursors[cursor.id] = cursor
        log.cursors.append(cursor)
        if log.journaled:
            entry = {"do": "cursor", "id": cursor.id, "log": log.id, "next": first, "definition": definition}
            if at_head and log.head != log.sealed:
                # It starts behind records of this very batch: their ENQUEUE has to come first.
                self.batch.drops.append(entry)
            else:
                self.batch.definitions.append(entry)
            log.touch()
        return cursor

    def drop_log(self, log: Log) -> None:
        """Delete a log, its cursors and its messages."""
        if log.journaled:
            self.batch.drops.append({"do": "drop-log", "id": log.id})
        self.forget_log(log)

    def drop_cursor(self, cursor: Cursor) -> None:
        """Delete a cursor; what only it still owed is gone."""
        if cursor.log.journaled:
            self.batch.drops.append({"do": "drop-cursor", "id": cursor.id})
        self.forget_cursor(cursor)

    def redefine(self, log: Log, definition: dict[str, Any]) -> None:
        """Change the definition of a log."""
        log.definition = definition
        if log.journaled:
            self.batch.definitions.append({"do": "log", "id": log.id, "definition": definition})
            log.touch()

    def forget_log(self, log: Log) -> None:
        """Take a log out of memory, and out of the catalog with the next checkpoint. (Also used by the replay.)"""
        for cursor in list(log.cursors):
            self.forget_cursor(cursor)
        self.logs.pop(log.id, None)
        log.clear()
        if log.journaled:
            self._dropped.append(log)

    def forget_cursor(self, cursor: Cursor) -> None:
        """As `forget_log`, for a cursor."""
        self.cursors.pop(cursor.id, None)
        cursor.log.cursors.remove(cursor)
        cursor.window.clear()
        if cursor.log.journaled:
            self._dropped_cursors.append(cursor.id)
            cursor.log.touch()

    def note_id(self, identity: int) -> None:
        """An id that the journal has given away."""
        self._next_id = max(self._next_id, identity + 1)

    @property
    def dropped_logs(self) -> list[Log]:
        """Logs whose files wait for the next checkpoint to be removed."""
        return self._dropped

    # -- the path of messages

    def append_to(self, logs: tuple[Log, ...], record: bytes) -> None:
        """Put one record at the end of several journaled logs: it stands in the journal once."""
        batch = self.batch
        run = batch.runs[-1] if batch.runs else None
        if run is None or len(run.targets) < 2 or tuple(log for log, _ in run.targets) != logs:
            run = Run(tuple((log, log.head) for log in logs))
            batch.runs.append(run)
        run.records.append(record)
        batch.size += len(record)
        for log in logs:
            log.close_run()
            log.head += 1

    def on_durable(self, callback: Callable[[], None]) -> None:
        """Call back on the event loop when everything done so far is on disk. Callbacks run in order."""
        self.batch.callbacks.append(callback)
        self.batch.wanted = True

    def want(self) -> None:
        """Somebody waits for what is in the batch."""
        self.batch.wanted = True

    @property
    def idle(self) -> bool:
        """True when everything done so far is durable."""
        return self._under_way is None and not self.batch and not self.batch.callbacks

    @property
    def congested(self) -> bool:
        """True when publishers should wait: the open batch, the journal or memory is over its mark."""
        options = self.options
        return (
            self.batch.size > options.batch_bytes_max
            or self.hot_bytes > options.hot_bytes_max
            or self.journal.short_of_space
            or self.journal.position - self._catalog.lsn > options.replay_bytes_max * 3 // 4
        )

    @property
    def congestion(self) -> str:
        """Why it is congested, for an operator; empty when it is not."""
        options = self.options
        if self.journal.short_of_space:
            return "the disk has no room for another journal file"
        if self.journal.position - self._catalog.lsn > options.replay_bytes_max * 3 // 4:
            return f"a checkpoint is late ({self.checkpoint_fault or 'it is under way'})"
        if self.hot_bytes > options.hot_bytes_max:
            return f"{self.hot_bytes} bytes of messages in memory wait for a checkpoint"
        return "the disk is slower than the publishers" if self.congested else ""

    def ask_checkpoint(self) -> None:
        """The next batch takes a checkpoint with it."""
        self._checkpoint_asked = True

    def flush(self) -> None:
        """Commit the batch now if somebody wants it and no other is under way; otherwise it goes later."""
        if self._under_way is None:
            if self.batch.wanted and not self.batch:
                self._call_back()  # nothing to write: everything that was waited for is durable
            elif self.batch.wanted:
                self._seal()
            elif not self._lazy_armed and self.batch:
                self._lazy_armed = True
                self._lazy.set()

    def read_ahead(self, cursor: Cursor, seq: int) -> None:
        """Called by a cursor."""
        self._reader.read_ahead(cursor, seq)

    def fetch(self, cursor: Cursor, seq: int) -> None:
        """Called by a cursor."""
        self._reader.fetch(cursor, seq)

    @property
    def reader(self) -> ColdReader:
        """Reads what lies on disk: for browsing."""
        return self._reader

    # -- commit

    def _call_back(self) -> None:
        callbacks = self.batch.callbacks
        self.batch = Batch()
        for callback in callbacks:
            callback()

    def _seal(self) -> None:
        batch, self.batch = self.batch, Batch()
        self.open_logs.clear()
        for run in batch.runs:
            for log, first in run.targets:
                log.sealed_run(first, run.records)
        if self._checkpoint_due():
            self._take_snapshot(batch=batch)
        self._under_way = batch
        self.journal.submit(batch)

    def _durable(self, batch: Batch) -> None:
        self._under_way = None
        checkpoint = self._checkpoint_ready
        if checkpoint is not None and checkpoint.reached(self.journal.position, self.journal.previous):
            self._checkpoint_wake.set()
        touched: dict[Log, None] = {}
        for run in batch.runs:
            for log, first in run.targets:
                log.durable = first + len(run.records)
                touched[log] = None
        for cursor, upto in batch.reads.items():
            cursor.promised = max(cursor.promised, upto)
        # The disk works on the next batch while this one's receipts and deliveries are written.
        if self.batch.wanted and self.batch:
            self._seal()
        for callback in batch.callbacks:
            callback()
        for log in touched:
            if log.listener is not None:
                log.listener()
        for cursor in batch.reads:
            if cursor.listener is not None and cursor.log not in touched:
                cursor.listener()
        for cursor in batch.settled:
            if len(cursor.log.cursors) > 1:
                cursor.log.trim()
        self.after_step()

    # -- checkpoints

    def _checkpoint_due(self) -> bool:
        return not self._checkpointing and (
            self._checkpoint_asked
            or self.journal.position - self._catalog.lsn >= self.options.checkpoint_journal_bytes
            or trio.current_time() - self._last_checkpoint >= self.options.checkpoint_interval_seconds
        )

    def _take_snapshot(self, *, clean: bool = False, batch: Batch | None = None) -> None:
        """The state behind `batch`, which is sealed and not yet written; without one, the state of an idle store."""
        self._checkpointing = True
        self._checkpoint_asked = False
        self._last_checkpoint = trio.current_time()
        change = CatalogChange(lsn=0, previous=0, next_id=self._next_id, clean=clean)
        dropped, self._dropped = self._dropped, []
        change.dropped_logs = [log.id for log in dropped]
        change.dropped_cursors, self._dropped_cursors = self._dropped_cursors, []
        dirty, self.dirty = self.dirty, []
        snapshots = []
        for log in dirty:
            log.dirty = False
            if log.id in self.logs:
                snapshots.append(snapshot_of(log))
        self._checkpoint_ready = Checkpoint(snapshots, dropped, change, self._now_ms())
        if batch is None:
            self._checkpoint_ready.reached(self.journal.position, self.journal.previous)

    async def _checkpoint(self) -> None:
        """Write the checkpoint whose snapshot was taken and whose batch is durable."""
        checkpoint = self._checkpoint_ready
        assert checkpoint is not None
        try:
            await checkpoint.write(self.disk, self._catalog, self.options.segment_bytes_min)
        except (OSError, sqlite3.Error) as error:
            checkpoint.abort()
            self._dropped += checkpoint.dropped
            self._dropped_cursors += checkpoint.change.dropped_cursors
            self.checkpoint_fault = str(error)
        else:
            checkpoint.swap()
            self.checkpoint_fault = ""
            self.checkpoints += 1
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(checkpoint.remove_dead, self.disk)
                await trio.to_thread.run_sync(self.journal.recycle, self._catalog.lsn)
        finally:
            self._checkpoint_ready = None
            self._checkpointing = False
            done, self._checkpoint_done = self._checkpoint_done, trio.Event()
            done.set()

    async def _checkpoint_when_due(self) -> None:
        while True:
            with trio.move_on_after(self.options.checkpoint_interval_seconds):
                await self._checkpoint_wake.wait()
            if self._checkpoint_wake.is_set():
                self._checkpoint_wake = trio.Event()
                await self._checkpoint()
                if self.checkpoint_fault:
                    await trio.sleep(1)
            elif self.dirty and self.idle and not self._checkpointing:
                # Quiet: nothing is under way, so the state right now is the state behind the last batch.
                self._take_snapshot()
                await self._checkpoint()

    async def checkpoint(self) -> None:
        """Make a checkpoint now and wait for it.

        Raises:
            OSError: it failed; `checkpoint_fault` has the text.
        """
        self._checkpoint_asked = True
        while self._checkpoint_asked:
            done = self._checkpoint_done
            if self.idle and not self._checkpointing:
                self._take_snapshot()
                self._checkpoint_wake.set()
            else:
                self.want()
                self.flush()
            await done.wait()
        if self._checkpointing:
            await self._checkpoint_done.wait()
        if self.checkpoint_fault:
            raise OSError(self.checkpoint_fault)

    # -- life

    async def _flush_lazily(self) -> None:
        while True:
            await self._lazy.wait()
            await trio.sleep(LAZY_SECONDS)
            self._lazy = trio.Event()
            self._lazy_armed = False
            if self.batch:
                self.batch.wanted = True
                self.flush()

    async def drain(self) -> None:
        """Wait until everything done so far is durable."""
        while not self.idle:
            event = trio.Event()
            self.on_durable(event.set)
            self.flush()
            await event.wait()

    def _new_id(self, journaled: bool) -> int:
        if not journaled:
            self._volatile_id -= 1
            return self._volatile_id
        new = self._next_id
        self._next_id += 1
        return new

    async def _close(self) -> None:
        """A clean stop: everything durable, and a checkpoint, so that the next start replays nothing."""
        await self.drain()
        while self._checkpointing:
            await self._checkpoint_done.wait()
        await self.drain()
        self._take_snapshot(clean=True)
        await self._checkpoint()


@asynccontextmanager
async def open_store(disk: Disk, options: StoreOptions, now_ms: Callable[[], int]) -> AsyncIterator[Store]:
    """Open a data directory that is locked by the caller, recover it, and serve it until the block ends.

    Leaving the block normally makes a clean stop; leaving it with an exception is a crash without data loss.

    Raises:
        NewerFormatError, DamagedStoreError: it can't be opened; nothing was changed.
        DiskFailureError: (from the block) a write or sync of the journal failed.
    """
    async with trio_asyncio.open_loop():
        catalog = await Catalog.open(disk)
        try:
            store = Store(disk, catalog, options, now_ms)
            store.journal, store.recovery = await recover(store, catalog)
            await catalog.mark_running()
            async with trio.open_nursery() as nursery:
                await nursery.start(store.journal.serve, store._durable)
                nursery.start_soon(store._flush_lazily)
                nursery.start_soon(store._checkpoint_when_due)
                nursery.start_soon(store.reader.serve)
                yield store
                await store._close()
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await catalog.close()
