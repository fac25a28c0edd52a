"""Recovery: from the catalog and the journal behind it back to the state of the last durable batch.

It changes nothing that a second recovery would need, so that it may be interrupted at any point and repeated.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from segue.storage.catalog import Catalog
from segue.storage.cursor import Cursor
from segue.storage.disk import Disk
from segue.storage.entries import Define, Enqueue, Entry, Read, Return, Settle, UnknownEntryError, decode_entries
from segue.storage.errors import DamagedStoreError, NewerFormatError
from segue.storage.journal import JOURNAL_DIRECTORY, Journal, file_name
from segue.storage.log import Log
from segue.storage.scan import JournalScan
from segue.storage.segment import SEGMENTS_DIRECTORY

if TYPE_CHECKING:
    from segue.storage.store import Store

__all__ = ["Recovery", "recover"]


@dataclass(slots=True)
class Recovery:
    """What a start found, for the log line and `segue status`."""

    clean: bool = True
    batches: int = 0
    bytes: int = 0
    torn_bytes: int = 0
    removed_files: int = 0
    seconds: float = 0.0


async def recover(store: Store, catalog: Catalog) -> tuple[Journal, Recovery]:
    """Fill an empty store; returns the journal, ready to be served.

    Raises:
        DamagedStoreError: a file is missing or damaged so that confirmed messages could be lost.
        NewerFormatError: the journal holds entries that this version does not know.
    """
    started = time.monotonic()
    disk = store.disk
    await trio.to_thread.run_sync(_make_directories, disk)
    found = Recovery(clean=catalog.clean)
    await _load_catalog(store, catalog)
    await trio.to_thread.run_sync(_check_segments, store)
    scan = JournalScan(disk, catalog.lsn, catalog.previous, catalog.salt)
    await trio.to_thread.run_sync(_replay, store, scan, found)
    found.torn_bytes = scan.torn_bytes
    found.bytes = scan.position - catalog.lsn
    if found.batches:
        found.clean = False
    # What was read may still be in the page cache only; it is delivered soon, so it has to be on disk.
    await trio.to_thread.run_sync(_sync_files, disk, scan, catalog.lsn)
    found.removed_files = await trio.to_thread.run_sync(_remove_strays, store)
    for log in store.logs.values():
        log.sealed = log.durable = log.head
        if not log.hot:
            log.hot_first = log.head
    for cursor in store.cursors.values():
        cursor.recovered(found.clean)
    for log in store.logs.values():
        log.low = min((cursor.low() for cursor in log.cursors), default=log.head)
    journal = Journal(
        disk,
        salt=catalog.salt,
        file_bytes=store.options.journal_file_bytes,
        position=scan.position,
        previous=scan.previous,
        files=scan.files,
    )
    await trio.to_thread.run_sync(journal.recycle, catalog.lsn)
    found.seconds = time.monotonic() - started
    return journal, found


def _make_directories(disk: Disk) -> None:
    for name in (JOURNAL_DIRECTORY, SEGMENTS_DIRECTORY):
        disk.make_directory(name)


async def _load_catalog(store: Store, catalog: Catalog) -> None:
    for state in await catalog.logs():
        store.logs[state.id] = Log(store, state.id, state.definition, head=state.head)
    for cursor_state in await catalog.cursors():
        log = store.logs[cursor_state.log]
        cursor = Cursor(cursor_state.id, log, cursor_state.definition, cursor_state.next)
        cursor.promised = cursor_state.promised
        cursor.returned = cursor_state.holes
        log.cursors.append(cursor)
        store.cursors[cursor.id] = cursor
    for log_id, extent in await catalog.extents():
        store.logs[log_id].extents.append(extent)
    for log in store.logs.values():
        log.extents.sort()


def _check_segments(store: Store) -> None:
    """Every segment that the catalog names is there and not empty."""
    for log in store.logs.values():
        for extent in log.extents:
            if extent.path and store.disk.size(extent.path) <= 0:
                raise DamagedStoreError(
                    Path(extent.path), -1, -1, "the catalog names this segment, and it is missing or empty"
                )


def _replay(store: Store, scan: JournalScan, found: Recovery) -> None:
    for batch in scan:
        found.batches += 1
        try:
            for entry in decode_entries(batch.data, batch.header.entries):
                _apply(store, entry)
        except UnknownEntryError as error:
            raise NewerFormatError(Path(file_name(batch.lsn)), int(str(error).split()[-1]), 5) from error


def _apply(store: Store, entry: Entry) -> None:
    if isinstance(entry, Enqueue):
        for log_id, first in entry.targets:
            log = store.logs.get(log_id)
            if log is not None:
                log.replay(first, entry.records)
    elif isinstance(entry, Settle):
        if (cursor := store.cursors.get(entry.cursor)) is not None:
            for first, last in entry.ranges:
                cursor.replay_settle(first, last)
                cursor.log.forget_range(first, last)
            cursor.log.touch()
    elif isinstance(entry, Read):
        if (cursor := store.cursors.get(entry.cursor)) is not None:
            cursor.promised = max(cursor.promised, entry.next)
    elif isinstance(entry, Return):
        if (cursor := store.cursors.get(entry.cursor)) is not None:
            cursor.replay_return(entry.messages)
            cursor.log.touch()
    else:
        _define(store, entry)


def _define(store: Store, entry: Define) -> None:
    what = entry.definition
    kind, identity = what["do"], int(what["id"])
    if kind == "log":
        log = store.logs.get(identity)
        if log is None:
            log = store.logs[identity] = Log(store, identity, what["definition"])
        log.definition = what["definition"]
        log.touch()
    elif kind == "cursor":
        log = store.logs[int(what["log"])]
        cursor = store.cursors[identity] = Cursor(identity, log, what["definition"], int(what["next"]))
        log.cursors.append(cursor)
        log.touch()
    elif kind == "drop-log" and identity in store.logs:
        store.forget_log(store.logs[identity])
    elif kind == "drop-cursor" and identity in store.cursors:
        store.forget_cursor(store.cursors[identity])
    store.note_id(identity)


def _sync_files(disk: Disk, scan: JournalScan, start: int) -> None:
    for base, size in scan.files.items():
        if base + size > start:
            disk.sync_file(file_name(base))
    disk.sync_directory(JOURNAL_DIRECTORY)


def _remove_strays(store: Store) -> int:
    """Segment files that the catalog does not name are what a checkpoint left that did not come to its end."""
    disk = store.disk
    named = {extent.path for log in store.logs.values() for extent in log.extents if extent.path}
    named |= {extent.path for log in store.dropped_logs for extent in log.extents if extent.path}
    removed = 0
    for folder in disk.list(SEGMENTS_DIRECTORY):
        for name in disk.list(f"{SEGMENTS_DIRECTORY}/{folder}"):
            path = f"{SEGMENTS_DIRECTORY}/{folder}/{name}"
            if path not in named:
                disk.unlink(path)
                removed += 1
        disk.remove_directory(f"{SEGMENTS_DIRECTORY}/{folder}")
    return removed
