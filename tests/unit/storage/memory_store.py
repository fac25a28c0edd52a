"""A store without a disk: batches are durable when the test says so, and reads come back when the test says so."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import trio

from segue.storage.batch import Batch, Entries
from segue.storage.block import Run
from segue.storage.checkpointer import Checkpointer
from segue.storage.cold import ColdReader
from segue.storage.cursor import Cursor
from segue.storage.entries import Entry, decode_entries
from segue.storage.journal import Journal
from segue.storage.log import RECORD_OVERHEAD, Extent, Log
from segue.storage.quarantine import Damage
from segue.storage.recovery import _take_up
from segue.storage.replay import apply
from segue.storage.snapshot import LogSnapshot, snapshot_of
from segue.storage.store import Store
from tests.faults.storage.driver import record

__all__ = [
    "MemoryStore",
    "cursor_on",
    "entries_of",
    "fill",
    "give_back",
    "hand_out",
    "new_cursor_on",
    "owed",
    "settle",
    "size_of",
    "spill",
    "take_all",
]


class _Pages:
    """The journal: batches, not on disk."""

    position = previous = 0

    def __init__(self) -> None:
        self.batches: list[Entries] = []

    def begin(self, batch: Batch) -> bool:
        self.batches.append(batch.entries())
        return False

    submit = begin


class _NeverDue:
    """The checkpointer: tests make checkpoints themselves."""

    due = False

    def durable(self, lsn: int, previous: int) -> None:
        pass

    def drop_log(self, log: Log) -> None:
        pass

    def drop_cursor(self, cursor: Cursor) -> None:
        pass


class _Shelves:
    """The reader of what lies on disk: notes what it is asked for."""

    def __init__(self) -> None:
        self.windows: list[tuple[Cursor, int, int]] = []
        self.fetches: list[tuple[Cursor, int]] = []

    def read_ahead(self, cursor: Cursor, seq: int) -> None:
        self.windows.append((cursor, seq, cursor.window.generation))

    def fetch(self, cursor: Cursor, seq: int) -> None:
        self.fetches.append((cursor, seq))

    def forget(self, cursor: Cursor) -> None:
        pass


class MemoryStore(Store):
    """A `Store` whose journal, checkpoints and reads are played by the test.

    Attributes:
        spilled: records on disk, by log id and number.
        damaged: numbers among those that can't be read.
    """

    def __init__(self) -> None:
        # Not that of `Store`, which wants a disk and an event loop; its attributes, with doubles for what has either.
        self._pages = _Pages()
        self._shelves = _Shelves()
        self.journal = cast(Journal, self._pages)
        self.checkpointer = cast(Checkpointer, _NeverDue())
        self._reader = cast(ColdReader, self._shelves)
        self.logs = {}
        self.cursors = {}
        self.batch = Batch()
        self.dirty = []
        self.hot_bytes = 0
        self.next_id = 1
        self.after_step = self.flush
        self._under_way = None
        self.sealing = []
        self._begun_here = self._collecting = self._lazy_armed = False
        self._lazy = trio.Event()
        self._volatile_id = -1
        self.spilled: dict[int, dict[int, bytes]] = {}
        self.damaged: set[int] = set()

    # -- the journal

    @property
    def batches(self) -> list[Entries]:
        """All that the journal has got so far."""
        return self._pages.batches

    def seal(self) -> None:
        """Hand the batch to the journal, which has not written it yet."""
        self.want()
        self.flush()

    def commit(self) -> None:
        """Everything done so far becomes durable."""
        self.seal()
        while self._under_way is not None:
            self._durable(self._under_way)

    @classmethod
    def replayed(cls, batches: list[Entries]) -> MemoryStore:
        """What a start makes of these batches."""
        store = cls()
        for batch in batches:
            for entry in entries_of(batch):
                apply(store, entry)
        _take_up(store)
        return store

    # -- disk

    def asked_for(self) -> list[int]:
        """Numbers from which on cursors want to read ahead."""
        return [seq for _, seq, _ in self._shelves.windows]

    def asked_to_fetch(self) -> list[int]:
        """Returned messages that cursors want."""
        return [seq for _, seq in self._shelves.fetches]

    def bring(self) -> None:
        """All reads that were asked for come back."""
        shelves, self._shelves = self._shelves, _Shelves()
        self._reader = cast(ColdReader, self._shelves)
        for cursor, seq, generation in shelves.windows:
            end = cursor.log.ram_first
            cursor.window.fill(generation, *self._part(cursor.log, seq, end), end)
        for cursor, seq in shelves.fetches:
            cursor.fetching = False
            cursor.fetched = {seq: self.spilled[cursor.log.id][seq]}
        for cursor in [cursor for cursor, _, _ in shelves.windows] + [cursor for cursor, _ in shelves.fetches]:
            if cursor.listener is not None:
                cursor.listener()

    def snapshot(self, log: Log) -> LogSnapshot:
        """A checkpoint of this one log begins."""
        if log.dirty:
            self.dirty.remove(log)
            log.dirty = False
        return snapshot_of(log)

    def swap(self, snapshot: LogSnapshot) -> None:
        """The catalog's commit of a checkpoint: what was owed at its snapshot is one more segment."""
        log = snapshot.log
        snapshot.work_out()
        owed = dict(snapshot.owed_of_spilling())
        self.spilled.setdefault(log.id, {}).update(owed)
        extents = list(log.extents)
        if owed:
            size = sum(map(len, owed.values()))
            extents.append(Extent(min(owed), max(owed), "segment", len(owed), size, 0))
        log.end_spill(extents, snapshot.spilled_bytes)

    def _part(self, log: Log, seq: int, end: int) -> tuple[list[Run], list[Damage]]:
        there = sorted(n for n in self.spilled.get(log.id, ()) if seq <= n < end)
        runs: list[Run] = []
        for before, n in pairwise([-1, *there]):
            if n in self.damaged:
                continue
            if n != before + 1 or before in self.damaged or not runs:
                runs.append((n, []))
            runs[-1][1].append(self.spilled[log.id][n])
        return runs, [Damage(n, n, "its checksum is wrong") for n in there if n in self.damaged]


def entries_of(batch: Entries) -> list[Entry]:
    """A batch as a replay reads it."""
    return list(decode_entries(b"".join(batch.parts), batch.number))


def hand_out(cursor: Cursor, limit: int = 1000) -> list[int]:
    """Read what was never handed out; it is out then. Returns the numbers."""
    first, records = cursor.read(limit)
    seqs = list(range(first, first + len(records)))
    if not cursor.out:
        cursor.out.append({})
    cursor.out[0].update(dict.fromkeys(seqs, 1))
    return seqs


def fill(log: Log, count: int, size: int = 0) -> None:
    """Append messages that say which ones they are; they become durable."""
    for _ in range(count):
        log.append(record(f"{log.head}", size))
    cast(MemoryStore, log.store).commit()


def spill(store: MemoryStore, log: Log) -> None:
    """All that is owed goes to disk."""
    store.swap(store.snapshot(log))


def new_cursor_on(store: MemoryStore, count: int) -> Cursor:
    """A cursor on a new log with durable messages 1 to `count`; it has never been read."""
    cursor = store.create_cursor(store.create_log({}), {})
    fill(cursor.log, count)
    return cursor


def cursor_on(store: MemoryStore, count: int = 0) -> Cursor:
    """As `new_cursor_on`; its promise is durable, and all messages are unread."""
    cursor = new_cursor_on(store, count)
    assert cursor.read(1) == (1, [])
    store.commit()
    return cursor


def settle(cursor: Cursor, seqs: Iterable[int]) -> None:
    """What is out is done."""
    gone = list(seqs)
    for seq in gone:
        del cursor.out[0][seq]
    cursor.settle(gone)


def give_back(cursor: Cursor, seqs: Iterable[int]) -> None:
    """What is out goes back to its place."""
    cursor.give_back({seq: cursor.out[0].pop(seq) for seq in list(seqs)})


def take_all(cursor: Cursor) -> list[tuple[int, int]]:
    """All returned messages that can be had: number and deliveries so far; they are out then."""
    found = []
    while (taken := cursor.take_returned()) is not None:
        seq, deliveries, data = taken
        assert data == record(f"{seq}")
        found.append((seq, deliveries))
        cursor.out[0][seq] = deliveries + 1
    return found


def owed(cursor: Cursor) -> set[int]:
    """What a cursor has still to hand out or to hear of, of what there is."""
    log = cursor.log
    aside = {seq for first, last, _ in cursor.quarantined for seq in range(first, last + 1)}
    unread = {seq for seq in range(cursor.next, log.head) if log.find(seq) is not None}
    return {*cursor.holes(), *aside, *unread}


def size_of(*records: bytes) -> int:
    """Memory that these records take."""
    return sum(map(len, records)) + RECORD_OVERHEAD * len(records)
