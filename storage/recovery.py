"""Recovery: from the catalog and the journal behind it back to the state of the last durable batch.

Up to the end of the replay it writes nothing but checkpoints, where the journal holds more than memory should; so it
may be interrupted at any point and repeated.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from segue.storage.catalog import CATALOG, Catalog
from segue.storage.cursor import Cursor
from segue.storage.disk import Disk
from segue.storage.entries import UnknownEntryError, decode_entries
from segue.storage.errors import DamagedStoreError, NewerFormatError
from segue.storage.extents import READ_ERRORS
from segue.storage.journal import JOURNAL_DIRECTORY, Journal, file_name
from segue.storage.log import Log
from segue.storage.replay import apply
from segue.storage.scan import JournalScan, ScannedBatch
from segue.storage.segment import SEGMENTS_DIRECTORY

if TYPE_CHECKING:
    from segue.storage.store import Store

__all__ = ["Recovery", "recover"]

_ENTRY_TYPES_KNOWN = 6
_RETRY_BYTES = 1 << 20


@dataclass(slots=True)
class Recovery:
    """What a start found, for the log line and `segue status`.

    Attributes:
        clean: the last stop was a clean one.
        batches, bytes: what was replayed.
        torn_bytes: size of the batch that the last crash has cut short, as far as its head tells.
        removed_files: segments that no checkpoint had got to name.
        faults: segments that are missing or have the wrong size; their messages will be set aside.
        seconds: how long it took.
    """

    clean: bool = True
    batches: int = 0
    bytes: int = 0
    torn_bytes: int = 0
    removed_files: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


async def recover(store: Store, catalog: Catalog) -> tuple[Journal, Recovery]:
    """Fill an empty store; returns the journal, ready to be served.

    Raises:
        DamagedStoreError: a file is missing or damaged so that confirmed messages could be lost.
        NewerFormatError: the journal holds entries that this version does not know.
        OSError: the disk or the permissions are in the way.
    """
    started = time.monotonic()
    disk = store.disk
    await trio.to_thread.run_sync(_make_directories, disk)
    found = Recovery(clean=catalog.clean)
    await _load_catalog(store, catalog)
    found.faults = await trio.to_thread.run_sync(_segment_faults, store)
    start = catalog.lsn
    scan = JournalScan(disk, start, catalog.previous, catalog.salt)
    await _replay(store, scan, found)
    found.torn_bytes = scan.torn_bytes
    found.bytes = scan.position - start
    if found.batches:
        found.clean = False
    # What was read may still be in the page cache only; it is delivered soon, so it has to be on disk.
    await trio.to_thread.run_sync(_sync_files, disk, scan, start)
    found.removed_files = await trio.to_thread.run_sync(_remove_strays, store)
    _take_up(store)
    await _retry_quarantined(store)
    journal = await trio.to_thread.run_sync(_open_journal, store, catalog, scan)
    store.checkpointer.replaying = False
    found.seconds = time.monotonic() - started
    return journal, found


def _make_directories(disk: Disk) -> None:
    for name in (JOURNAL_DIRECTORY, SEGMENTS_DIRECTORY):
        disk.make_directory(name)


async def _load_catalog(store: Store, catalog: Catalog) -> None:
    for state in await catalog.logs():
        store.logs[state.id] = Log(store, state.id, state.definition, head=state.head)
    for cursor_state in await catalog.cursors():
        log = _log_of(store, cursor_state.log)
        cursor = Cursor(cursor_state.id, log, cursor_state.definition, cursor_state.next)
        cursor.promised = cursor_state.promised
        cursor.gaps = cursor_state.gaps
        cursor.returned = cursor_state.holes
        for first, last in cursor_state.quarantined:
            cursor.quarantined.add(first, last, "it was found damaged before the last start")
        log.cursors.append(cursor)
        store.cursors[cursor.id] = cursor
    for log_id, extent in await catalog.extents():
        _log_of(store, log_id).extents.append(extent)
    for log in store.logs.values():
        log.extents.sort()


def _log_of(store: Store, log_id: int) -> Log:
    if log_id not in store.logs:
        raise DamagedStoreError(Path(CATALOG), -1, -1, f"it names log {log_id}, and has no such log")
    return store.logs[log_id]


def _segment_faults(store: Store) -> list[str]:
    """Segments that are not as they were written. They are not refused: the rest of the store can be served."""
    faults = []
    for log in store.logs.values():
        for extent in log.extents:
            if extent.path and (size := store.disk.size(extent.path)) != extent.file_bytes:
                state = "is missing" if size < 0 else f"has {size} bytes, and was written with {extent.file_bytes}"
                faults.append(f"{extent.path} {state}; see 'segue storage check'")
    return faults


async def _replay(store: Store, scan: JournalScan, found: Recovery) -> None:
    """Apply every batch; what would take more memory than it should is brought to disk in between."""
    batches = iter(scan)
    room = True
    while not await trio.to_thread.run_sync(_replay_some, store, batches, found, room):
        room = await store.checkpointer.spill(scan.position, scan.previous)


def _replay_some(store: Store, batches: Iterator[ScannedBatch], found: Recovery, bounded: bool) -> bool:
    """Apply batches until memory is full; True when there are no more."""
    for batch in batches:
        found.batches += 1
        try:
            for entry in decode_entries(batch.data, batch.header.entries):
                apply(store, entry)
        except UnknownEntryError as error:
            raise NewerFormatError(Path(file_name(batch.lsn)), error.kind, _ENTRY_TYPES_KNOWN) from error
        except ValueError as error:
            raise DamagedStoreError(Path(file_name(batch.lsn)), -1, -1, f"batch {batch.lsn}: {error}") from error
        if bounded and store.hot_bytes > store.options.replay_memory_bytes_max:
            return False
    return True


def _sync_files(disk: Disk, scan: JournalScan, start: int) -> None:
    for base, size in scan.files.items():
        if base + size > start:
            disk.sync_file(file_name(base))
    disk.sync_directory(JOURNAL_DIRECTORY)


def _take_up(store: Store) -> None:
    for log in store.logs.values():
        log.sealed = log.durable = log.head
        if not log.hot:
            log.hot_first = log.head
        if not log.cursors:
            log.cursor_left()
        for cursor in log.cursors:
            cursor.recovered()
        log.low = log.first_owed()


async def _retry_quarantined(store: Store) -> None:
    """What was damaged at the last look may have been mended by an operator: then it returns to its place."""
    for cursor in store.cursors.values():
        for first, last, _ in list(cursor.quarantined):
            seq = first
            while seq <= last:
                try:
                    part = await store.reader.read_range(cursor.log, seq, last + 1, _RETRY_BYTES)
                except READ_ERRORS:
                    break
                for start, records in part.runs:
                    cursor.recover_quarantined(start, min(last, start + len(records) - 1))
                seq = part.upto
    await store.reader.extents.close()


def _open_journal(store: Store, catalog: Catalog, scan: JournalScan) -> Journal:
    disk = store.disk
    for base in [base for base in scan.files if base > scan.position]:
        # The crash came between the making of this file and its first batch.
        disk.unlink(file_name(base))
        del scan.files[base]
    disk.sync_directory(JOURNAL_DIRECTORY)
    journal = Journal(
        disk,
        salt=catalog.salt,
        file_bytes=store.options.journal_file_bytes,
        position=scan.position,
        previous=scan.previous,
        files=scan.files,
    )
    journal.recycle(catalog.lsn)
    return journal


def _remove_strays(store: Store) -> int:
    """Segment files that the catalog does not name are what a checkpoint left that did not come to its end."""
    disk = store.disk
    logs = [*store.logs.values(), *store.checkpointer.dropped_logs]
    named = {extent.path for log in logs for extent in log.extents if extent.path}
    removed = 0
    for folder in disk.list(SEGMENTS_DIRECTORY):
        for name in disk.list(f"{SEGMENTS_DIRECTORY}/{folder}"):
            path = f"{SEGMENTS_DIRECTORY}/{folder}/{name}"
            if path not in named:
                disk.unlink(path)
                removed += 1
        disk.remove_directory(f"{SEGMENTS_DIRECTORY}/{folder}")
    return removed
