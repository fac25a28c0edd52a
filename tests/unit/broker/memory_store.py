"""A store whose disk is the test: batches are durable, and reads come back, when the test says so.

Logs, cursors, batches and the order of everything in a group commit are the storage core's own; only the journal, the
checkpoints and the reader are played. So what the broker sees is what it sees in the daemon, without a file, a thread
or an event loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from segue.storage.api import Cursor, Log, Store, StoreOptions
from segue.storage.batch import Batch
from segue.storage.extents import Part
from segue.storage.log import Extent
from segue.storage.recovery import Recovery

__all__ = ["FakeClock", "MemoryStore"]


class FakeClock:
    """Time that stands still until it is told to go on. Wall clock and monotonic clock go together."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self._set_by_ms = 0

    def now_ms(self) -> int:
        elapsed_ms = int(self.seconds * 1000 + 1e-6)  # 1122.2 seconds are a little less than that in a float
        return 1_700_000_000_000 + elapsed_ms + self._set_by_ms

    def monotonic(self) -> float:
        return self.seconds

    def set_by(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._set_by_ms += round(seconds * 1000)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class PlayedDisk:
    """What pressure asks a disk for."""

    def __init__(self) -> None:
        self.free = 1 << 40
        self.fault: OSError | None = None

    def free_bytes(self) -> int:
        if self.fault is not None:
            raise self.fault
        return self.free


class PlayedJournal:
    """Keeps the batch that is under way until the test makes it durable."""

    def __init__(self) -> None:
        self.batch: Batch | None = None
        self.short_of_space = False
        self.position = self.previous = self.oldest = self.syncs = self.bytes_written = 0
        self.entries: list[list[bytes]] = []

    def submit(self, batch: Batch) -> None:
        assert self.batch is None
        self.batch = batch
        self.entries.append(batch.entries().parts)  # as the thread does: everything in it can be written down

    def begin(self, batch: Batch) -> bool:
        self.submit(batch)
        return False


class PlayedCheckpointer:
    """Makes none by itself."""

    due = False
    done = 0
    fault = ""
    journal_bytes = 0
    asked = 0

    def drop_log(self, log: Log) -> None: ...

    def drop_cursor(self, cursor: Cursor) -> None: ...

    def durable(self, lsn: int, previous: int) -> None: ...

    def ask(self) -> None:
        self.asked += 1


class PlayedReader:
    """Reads of what `MemoryStore.spill` has put on disk wait in `jobs`."""

    def __init__(self, store: MemoryStore) -> None:
        self.jobs: list[Callable[[], None]] = []
        self.fault: OSError | None = None
        self._store = store

    def read_ahead(self, cursor: Cursor, seq: int) -> None:
        generation = cursor.window.generation
        self.jobs.append(lambda: self._read_ahead(cursor, seq, generation))

    def fetch(self, cursor: Cursor, seq: int) -> None:
        self.jobs.append(lambda: self._fetch(cursor, seq))

    def forget(self, cursor: Cursor) -> None: ...

    def run(self, job: Callable[[], Awaitable[None]]) -> None:
        self.jobs.append(lambda: trio.run(job))

    async def read_range(self, log: Log, seq: int, end: int, bytes_max: int) -> Part:
        await trio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault
        return self._part(log, seq, end, bytes_max)

    def _part(self, log: Log, seq: int, end: int, bytes_max: int) -> Part:
        spilled = self._store.spilled.get(log.id, {})
        part = Part([], [], min(end, log.ram_first))
        size = 0
        for at in sorted(number for number in spilled if seq <= number < part.upto):
            if size >= bytes_max:
                return part._replace(upto=at)
            part.runs.append((at, [spilled[at]]))
            size += len(spilled[at])
        return part

    def _read_ahead(self, cursor: Cursor, seq: int, generation: int) -> None:
        cursor.window.fill(generation, *self._part(cursor.log, seq, 1 << 62, 4000))
        self._tell(cursor)

    def _fetch(self, cursor: Cursor, seq: int) -> None:
        cursor.fetching = False
        record = self._store.spilled.get(cursor.log.id, {}).get(seq)
        cursor.fetched = {seq: record} if record is not None else {}
        self._tell(cursor)

    def _tell(self, cursor: Cursor) -> None:
        if cursor.listener is not None:
            cursor.listener()
            self._store.after_step()


class MemoryStore(Store):
    """See the module.

    Attributes:
        spilled: log id → sequence number → record: what lies on disk.
    """

    def __init__(self, options: StoreOptions | None = None) -> None:
        self.played_disk = PlayedDisk()
        self.played_journal = PlayedJournal()
        self.played_checkpointer = PlayedCheckpointer()
        self.played_reader = PlayedReader(self)
        self.spilled: dict[int, dict[int, bytes]] = {}
        played: dict[str, Any] = self.__dict__  # they are no subclasses of what they play
        played["disk"] = self.played_disk
        played["journal"] = self.played_journal
        played["checkpointer"] = self.played_checkpointer
        played["_reader"] = self.played_reader
        self.options = options or StoreOptions()
        self.logs = {}
        self.cursors = {}
        self.batch = Batch()
        self.sealing = []
        self.dirty = []
        self.hot_bytes = 0
        self.recovery = Recovery()
        self.on_fault = lambda log, text: None
        self.after_step = self.flush
        self.next_id = 1
        self._under_way = None
        self._begun_here = self._collecting = False
        self._lazy = trio.Event()
        self._lazy_armed = False
        self._volatile_id = -1

    @property
    def under_way(self) -> bool:
        """True while a batch waits for `sync`."""
        return self.played_journal.batch is not None

    def sync(self) -> None:
        """The batch that is under way is durable."""
        batch, self.played_journal.batch = self.played_journal.batch, None
        assert batch is not None, "no batch is under way"
        self._durable(batch)

    def sync_batches(self) -> None:
        """Everything done so far is durable."""
        while self.under_way or self.batch:
            if self.under_way:
                self.sync()
            else:
                self.batch.wanted = True
                self.flush()

    def sync_all(self) -> None:
        """Everything done so far is durable, and every read is back."""
        self.sync_batches()
        while self.played_reader.jobs:
            self.read()
            self.sync_batches()

    def read(self) -> None:
        """The oldest read from disk comes back."""
        self.played_reader.jobs.pop(0)()

    def spill(self, log: Log) -> None:
        """Everything durable of a log leaves memory for the disk, as a checkpoint does it."""
        assert not self.under_way
        spilled_bytes = log.hot_bytes
        records = log.begin_spill()
        self.spilled.setdefault(log.id, {}).update(records)
        extents = list(log.extents)
        if records:
            size = sum(map(len, records.values()))
            extents.append(Extent(min(records), max(records), f"{len(extents)}.db", len(records), size, 1))
        log.end_spill(extents, spilled_bytes)
