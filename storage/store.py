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
from segue.storage.holes import Holes
from segue.storage.journal import Journal
from segue.storage.log import Log
from segue.storage.recovery import Recovery, recover
from segue.storage.volatile import VolatileLog

__all__ = ["LAZY_SECONDS", "Store", "StoreOptions", "open_store"]

LAZY_SECONDS: Final = 0.02
"""Longest that a change stays in memory that nobody waits for."""

_NOW_BYTES: Final = 8 << 10
_NOW_WAITERS: Final = 4
"""A batch up to this size, with so few waiting for it, is written by the event loop itself: when little is going on,
two thread hops cost more than they hide. Larger ones go to the thread, which works while the loop gathers the next."""


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
    replay_memory_bytes_max: int = 64 << 20
    """Records in memory at which a start that replays the journal writes them to disk before it goes on."""
    hot_spill_bytes: int = 64 << 20
    """Memory of messages at which a checkpoint spills them: small messages take more room there than in the journal."""
    hot_bytes_max: int = 128 << 20
    """Twice that: publishers wait while a checkpoint is under way and what came since takes as much again."""


class Store:
    """An open data directory.

    Attributes:
        logs, cursors: by id.
        batch: what gathers for the next group commit.
        sealing: called when it is sealed, and then forgotten: what they append is still part of it.
        dirty: logs that the next checkpoint has to look at.
        hot_bytes: memory of all records in RAM.
        recovery: what the start found.
        checkpointer: when checkpoints are made.
        on_fault: called with a log and a text when something can't be read.
        after_step: called at the end of each step that the store itself begins; must flush.
    """

    def __init__(self, disk: Disk, catalog: Catalog, options: StoreOptions, now_ms: Callable[[], int]) -> None:
        self.disk = disk
        self.options = options
        self.logs: dict[int, Log] = {}
        self.cursors: dict[int, Cursor] = {}
        self.batch = Batch()
        self.sealing: list[Callable[[], None]] = []
        self.dirty: list[Log] = []
        self.hot_bytes = 0
        self.recovery = Recovery()
        self.on_fault: Callable[[Log, str], None] = lambda log, text: None
        self.after_step: Callable[[], None] = self.flush
        self.checkpointer = Checkpointer(self, catalog, now_ms)
        self.next_id = catalog.next_id
        self._under_way: Batch | None = None
        # True while the batch that is under way was begun here, and not by the journal's thread.
        self._begun_here = False
        self._collecting = False
        self._reader = ColdReader(self, catalog, options.cold_read_bytes)
        self._lazy = trio.Event()
        self._lazy_armed = False
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
        """A new cursor on a log, at the first message that is still owed, or behind the last one."""
        if not at_head:
            log.cursor_joins()
        first = log.head if at_head else log.first_owed()
        cursor = Cursor(self._new_id(log.journaled), log, definition, first)
        self.cursors[cursor.id] = cursor
        log.cursors.append(cursor)
        if log.journaled:
            self.batch.definitions.append(
                {"do": "cursor", "id": cursor.id, "log": log.id, "next": first, "definition": definition}
            )
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
        assert log.id in self.logs
        log.definition = definition
        if log.journaled:
            self.batch.definitions.append({"do": "log", "id": log.id, "definition": definition})
            log.touch()

    def forget_log(self, log: Log) -> None:
        """Take a log out of memory, and out of the catalog with the next checkpoint. The replay does this, too."""
        for cursor in log.cursors:
            self._retire(cursor)
        self.logs.pop(log.id, None)
        log.clear()
        if log.journaled:
            self.checkpointer.drop_log(log)

    def forget_cursor(self, cursor: Cursor) -> None:
        """As `forget_log`, for a cursor."""
        self._retire(cursor)
        cursor.log.cursors.remove(cursor)
        cursor.log.cursor_left()
        if cursor.log.journaled:
            cursor.log.touch()

    def _retire(self, cursor: Cursor) -> None:
        self.cursors.pop(cursor.id, None)
        cursor.retire()
        self._reader.forget(cursor)
        if cursor.log.journaled:
            self.checkpointer.drop_cursor(cursor)

    def note_id(self, identity: int) -> None:
        """An id that the journal has given away."""
        self.next_id = max(self.next_id, identity + 1)

    # -- the path of messages

    def append_to(self, logs: tuple[Log, ...], record: bytes) -> None:
        """Put one record at the end of several journaled logs, each named once: it stands in the journal once."""
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
    def commit_under_way(self) -> int:
        """Number of the group commit that the disk works on, 0 for none."""
        return 0 if self._under_way is None else self.journal.syncs + 1

    @property
    def checkpoints(self) -> int:
        """Checkpoints done so far."""
        return self.checkpointer.done

    @property
    def checkpoint_fault(self) -> str:
        """Why the last checkpoint failed, empty when it did not."""
        return self.checkpointer.fault

    @property
    def congested(self) -> bool:
        """True when publishers should wait: the open batch, the journal or memory is over its mark."""
        options = self.options
        return (
            self.batch.size > options.batch_bytes_max
            or self.hot_bytes > options.hot_bytes_max
            or self.journal.short_of_space
            or self.checkpointer.journal_bytes > options.replay_bytes_max * 3 // 4
        )

    @property
    def congestion(self) -> str:
        """Why it is congested, for an operator; empty when it is not."""
        options = self.options
        if self.journal.short_of_space:
            return "the disk has no room for another journal file"
        if self.checkpointer.journal_bytes > options.replay_bytes_max * 3 // 4:
            return f"a checkpoint is late ({self.checkpoint_fault or 'it is under way'})"
        if self.hot_bytes > options.hot_bytes_max:
            return f"{self.hot_bytes} bytes of messages in memory wait for a checkpoint"
        return "the disk is slower than the publishers" if self.congested else ""

    def ask_checkpoint(self) -> None:
        """The next batch takes a checkpoint with it."""
        self.checkpointer.ask()

    async def checkpoint(self) -> None:
        """Make a checkpoint now and wait for it.

        Raises:
            OSError: it failed; `checkpoint_fault` has the text.
        """
        await self.checkpointer.run()

    def flush(self) -> None:
        """Commit the batch now if somebody wants it and no other is under way; otherwise it goes later."""
        self.start()
        self.collect()

    def start(self) -> None:
        """As `flush`, but the disk works while the caller goes on; `collect` comes at the end of his step."""
        if self._under_way is None:
            while self.batch.wanted and not self.batch:
                self._call_back()  # nothing to write: what was waited for is durable, but this may begin something
            if self.batch.wanted:
                self._seal()
            elif not self._lazy_armed and self.batch:
                self._lazy_armed = True
                self._lazy.set()

    def collect(self) -> None:
        """Report batches that the event loop itself writes, when they are durable within a moment.

        One after the other: what a report sets off may begin the next batch, and that one waits for its turn.
        """
        if self._collecting:
            return
        self._collecting = True
        try:
            while self._begun_here:
                self._begun_here = False
                batch = self._under_way
                if self.journal.wait():
                    assert batch is not None
                    self._durable(batch)
        finally:
            self._collecting = False

    def read_ahead(self, cursor: Cursor, seq: int) -> None:
        """Called by a cursor."""
        self._reader.read_ahead(cursor, seq)

    def fetch(self, cursor: Holes, seq: int) -> None:
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
        if self.sealing:
            sealing, self.sealing = self.sealing, []
            for complete in sealing:
                complete()
        batch, self.batch = self.batch, Batch()
        self._under_way = batch
        small = batch.size <= _NOW_BYTES and len(batch.callbacks) <= _NOW_WAITERS and not self.checkpointer.due
        if small:
            self._begun_here = self.journal.begin(batch)  # the rest is done while the disk works
        logs = self.logs
        for run in batch.runs:
            for log, first in run.targets:
                if log.id in logs:  # or it was deleted in this very batch
                    log.sealed_run(first, run.records)
        if not small:
            if self.checkpointer.due:
                self.checkpointer.take_snapshot(self.next_id)
            self.journal.submit(batch)

    def _reported(self, batch: Batch) -> None:
        """The journal's thread has written a batch. What its callbacks begin is reported when they are through."""
        self._collecting = True
        try:
            self._durable(batch)
        finally:
            self._collecting = False
        self.collect()

    def _durable(self, batch: Batch) -> None:
        self._under_way = None
        self.checkpointer.durable(self.journal.position, self.journal.previous)
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
        self._tell(batch, touched)
        for log in {cursor.log for cursor in (*batch.settled, *(cursor for cursor, _, _ in batch.ranges))}:
            if len(log.cursors) > 1:
                log.trim()
        self.after_step()

    def _tell(self, batch: Batch, touched: dict[Log, None]) -> None:
        cursors = dict.fromkeys(batch.reads)
        told: Callable[[], None] | None = None  # a queue listens to all its levels
        for log in touched:
            if log.listener is not None:
                if log.listener is not told:
                    told = log.listener
                    told()
                for cursor in log.cursors:
                    cursors.pop(cursor, None)
            else:
                cursors.update(dict.fromkeys(log.cursors))
        for cursor in cursors:
            if cursor.listener is not None:
                cursor.listener()

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
            await self.next_commit()

    async def next_commit(self) -> None:
        """Wait until what was done up to this call is durable."""
        event = trio.Event()
        self.on_durable(event.set)
        self.flush()
        await event.wait()

    async def probe(self) -> None:
        """Wait until the disk has taken a batch, though nothing may be in it."""
        self.batch.probes = True
        await self.next_commit()

    def _new_id(self, journaled: bool) -> int:
        if not journaled:
            self._volatile_id -= 1
            return self._volatile_id
        new = self.next_id
        self.next_id += 1
        return new

    async def _close(self) -> None:
        """A clean stop: everything durable, and a checkpoint, so that the next start replays nothing."""
        await self.drain()
        await self.checkpointer.run_last(self.next_id)


@asynccontextmanager
async def open_store(disk: Disk, options: StoreOptions, now_ms: Callable[[], int]) -> AsyncIterator[Store]:
    """Open a data directory that is locked by the caller, recover it, and serve it until the block ends.

    Leaving the block normally makes a clean stop; leaving it with an exception is a crash without data loss.

    Raises:
        UnusableDirectoryError: it can't be read or written.
        NewerFormatError, DamagedStoreError: it can't be opened; nothing was lost or changed.
        DiskFailureError: (from the block, in an exception group) what is on disk is not known after a failed write.
    """
    async with trio_asyncio.open_loop():
        catalog = await _open_catalog(disk)
        try:
            store = Store(disk, catalog, options, now_ms)
            try:
                store.journal, store.recovery = await recover(store, catalog)
            except OSError as error:
                raise _unusable(error) from error
            async with trio.open_nursery() as nursery:
                await nursery.start(store.journal.serve, store._reported)
                nursery.start_soon(store._flush_lazily)
                nursery.start_soon(store.checkpointer.serve)
                nursery.start_soon(store.reader.serve)
                yield store
                await store._close()
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await catalog.close()


async def _open_catalog(disk: Disk) -> Catalog:
    try:
        disk.check_access()
        return await Catalog.open(disk)
    except OSError as error:
        raise _unusable(error) from error


def _unusable(error: OSError) -> UnusableDirectoryError:
    where = f"{error.filename}: " if error.filename else ""
    return UnusableDirectoryError(f"{where}{error.strerror or error}; the data directory can't be used as it is")
