"""Writing a new store from logs, cursors and streams of messages: what a clean stop would have left.

It is made under another name beside the target, and renamed when all of it is on disk: so there is never half a store
that a daemon could take for a whole one.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final

import trio
import trio_asyncio

from segue.storage.block import PackedBlock, blocks_of
from segue.storage.catalog import CATALOG, Catalog
from segue.storage.catalog_rows import CatalogChange, CursorState, LogState, meta_of, meta_rows
from segue.storage.journal import JOURNAL_DIRECTORY, NO_BATCH
from segue.storage.log import Extent
from segue.storage.posix import PosixDisk
from segue.storage.record import times
from segue.storage.segment import SEGMENTS_DIRECTORY, segment_path, write_segment
from segue.storage.tools.pieces import Message

__all__ = ["StoreBuilder", "build_store"]

_SEGMENT_BYTES_MIN: Final = 4 << 20
_SEGMENT_BYTES_MAX: Final = 64 << 20
"""What a checkpoint would write for one log: the journal that it empties has as much."""
_CHANGE_BYTES_MAX: Final = 16 << 20
_CHANGE_LOGS_MAX: Final = 1000
_FOLDER_MODE: Final = 0o700


class StoreBuilder:
    """A store that is being made. Made by `build_store`.

    Attributes:
        segments: files written so far.
    """

    def __init__(self, disk: PosixDisk, catalog: Catalog) -> None:
        self._disk = disk
        self._catalog = catalog
        self._change = CatalogChange()
        self._change_bytes = 0
        self.segments = 0

    async def add_messages(self, log_id: int, messages: Iterator[Message]) -> None:
        """What a log holds, all of it; `add_log` comes next.

        Raises:
            OSError: the disk is full, or fails.
        """
        blocks = blocks_of(messages)
        while begun := _begin(blocks):
            if sum(len(block.records) for block in begun) >= _SEGMENT_BYTES_MIN:
                await self._write_segment(log_id, chain(begun, _within(blocks, _SEGMENT_BYTES_MAX)))
            else:
                self._change.loose += [(log_id, _accepted_ms(block), block) for block in begun]
                self._change_bytes += sum(len(block.records) for block in begun)

    async def add_log(self, log: LogState, cursors: list[CursorState]) -> None:
        """A log, whose messages were added, and its cursors. Raises as `add_messages`."""
        self._change.logs.append(log)
        self._change.cursors += cursors
        if self._change_bytes > _CHANGE_BYTES_MAX or len(self._change.logs) > _CHANGE_LOGS_MAX:
            await self._apply()

    async def finish(self, next_id: int) -> None:
        """Everything was added."""
        self._change.lsn, self._change.previous = 0, NO_BATCH
        self._change.next_id = next_id
        self._change.clean = True
        await self._apply()

    async def _write_segment(self, log_id: int, blocks: Iterator[PackedBlock]) -> None:
        tally = _Tally()
        first_block = next(blocks)
        temporary = segment_path(log_id, first_block.first, 0)
        await write_segment(
            self._disk, temporary, log_id, self._catalog.salt, tally.count(chain([first_block], blocks))
        )
        path = segment_path(log_id, first_block.first, tally.last)
        self._disk.rename(temporary, path)
        self._disk.sync_directory(path.rpartition("/")[0])
        file_bytes = self._disk.size(path)
        written_ms = _accepted_ms(first_block)
        extent = Extent(first_block.first, tally.last, path, tally.messages, tally.bytes, written_ms, file_bytes)
        self._change.segments.append((log_id, extent))
        self.segments += 1

    async def _apply(self) -> None:
        change, self._change = self._change, CatalogChange()
        self._change_bytes = 0
        await self._catalog.apply(change, lambda: None)


@asynccontextmanager
async def build_store(target: Path, meta: dict[str, Any]) -> AsyncIterator[StoreBuilder]:
    """Make a store at `target`, a path where there is nothing yet, or an empty directory.

    Args:
        target: where it stands when the block has ended; nothing is there when the block raises.
        meta: looked at when the block has ended: what is to stand in the catalog's table `meta` besides its own.

    Raises:
        OSError: it can't be made there.
    """
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=_FOLDER_MODE, parents=True)
    try:
        disk = PosixDisk(unfinished)
        async with trio_asyncio.open_loop():
            catalog = await Catalog.open(disk)
            try:
                for folder in (JOURNAL_DIRECTORY, SEGMENTS_DIRECTORY):
                    disk.make_directory(folder)
                yield StoreBuilder(disk, catalog)
            finally:
                with trio.CancelScope(shield=True):
                    await catalog.close()
        _add_meta(unfinished / CATALOG, meta)
        disk.sync_file(CATALOG)
        disk.sync_directory("")
        unfinished.rename(target)
        PosixDisk(target.parent).sync_directory("")
    except BaseException as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        inner = _only_one_in(error)
        if inner is error:
            raise
        raise inner from None


def _only_one_in(error: BaseException) -> BaseException:
    """What the block has raised: the loop's nurseries wrap it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


class _Tally:
    """Counts blocks on their way into a segment."""

    def __init__(self) -> None:
        self.last = 0
        self.messages = 0
        self.bytes = 0

    def count(self, blocks: Iterator[PackedBlock]) -> Iterator[PackedBlock]:
        for block in blocks:
            self.last = block.last
            self.messages += block.last - block.first + 1
            self.bytes += len(block.records)
            yield block


def _begin(blocks: Iterator[PackedBlock]) -> list[PackedBlock]:
    """The next blocks, as many as a segment must have, or all there are."""
    begun: list[PackedBlock] = []
    size = 0
    for block in blocks:
        begun.append(block)
        size += len(block.records)
        if size >= _SEGMENT_BYTES_MIN:
            break
    return begun


def _within(blocks: Iterator[PackedBlock], bytes_max: int) -> Iterator[PackedBlock]:
    size = 0
    while size < bytes_max and (block := next(blocks, None)) is not None:
        size += len(block.records)
        yield block


def _accepted_ms(block: PackedBlock) -> int:
    """When its first message came: so that the age of a queue is still right."""
    return times(block.records)[0]


def _add_meta(path: Path, more: dict[str, Any]) -> None:
    connection = sqlite3.connect(path)
    try:
        with connection:
            meta = meta_of(list(connection.execute("SELECT key, value FROM meta")))
            connection.executemany("INSERT OR REPLACE INTO meta VALUES(?,?)", meta_rows(meta | more))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
