"""Catalogs for tests: a checkpoint with rows of all kinds, and what writes it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio

from segue.storage.block import PackedBlock, blocks_of
from segue.storage.catalog import CATALOG, Catalog
from segue.storage.catalog_rows import CatalogChange, CursorState, LogState
from segue.storage.disk import Disk
from segue.storage.gaps import Gaps
from segue.storage.log import Extent
from tests.faults.storage.driver import record
from tests.faults.storage.simulated_disk import Call

__all__ = [
    "CURSORS",
    "LOGS",
    "LOOSE",
    "LOOSE_EXTENTS",
    "SEGMENTS",
    "HeldCommit",
    "block",
    "change",
    "everything",
    "failing",
    "nothing",
    "opened",
    "write",
]

LOGS = [
    LogState(1, 12, {"kind": "queue", "name": "a"}),
    LogState(4, 1, {"kind": "topic", "name": "ä|☃", "n": [1, None]}),
]
GAPS = Gaps([(1 << 40, 1 << 41), (1 << 42, 1 << 42)])
CURSORS = [
    CursorState(2, 1, 9, 16393, {3: 1, 7: (40 << 64) + 5, 8: 2}, [(1, 2), (5, 5)], {"kind": "queue"}),
    CursorState(5, 4, 1, 1, {}, [], {}),
    CursorState(6, 4, 1 << 40, 1 << 41, {(1 << 40) - 1: 1 << 33}, [(1, 1 << 39)], {"name": "bob"}, GAPS),
]
SEGMENTS = [
    (1, Extent(1, 4, "segments/1/1-4.db", 3, 250, 1_700_000_000_000, 32768)),
    (4, Extent(1, 9000, "segments/4/1-9000.db", 9000, 1 << 33, 0, 1 << 34)),
]


def block(first: int, count: int) -> PackedBlock:
    (packed,) = blocks_of((seq, record(f"{seq}")) for seq in range(first, first + count))
    return packed


LOOSE = [(1, 1_700_000_000_001, block(5, 3)), (1, 1_700_000_000_002, block(9, 2)), (4, 7, block(9001, 1))]
LOOSE_EXTENTS = [(log, Extent(b.first, b.last, "", b.messages, len(b.records), ms)) for log, ms, b in LOOSE]


def everything() -> CatalogChange:
    """A checkpoint with rows of all kinds."""
    return CatalogChange(
        lsn=8192,
        previous=4096,
        next_id=7,
        clean=True,
        logs=list(LOGS),
        cursors=list(CURSORS),
        segments=list(SEGMENTS),
        loose=list(LOOSE),
    )


def change(**fields: Any) -> CatalogChange:
    """A later checkpoint."""
    return replace(CatalogChange(lsn=12288, previous=8192, next_id=9), **fields)


@asynccontextmanager
async def opened(disk: Disk) -> AsyncIterator[Catalog]:
    catalog = await Catalog.open(disk)
    try:
        yield catalog
    finally:
        with trio.CancelScope(shield=True):
            await catalog.close()


def nothing() -> None:
    """A checkpoint that nobody waits for."""


async def write(catalog: Catalog, *changes: CatalogChange) -> None:
    for each in changes:
        await catalog.apply(each, nothing)


def failing(what: str, number: int, after: int = 0) -> Callable[[Call], Exception | None]:
    """A `fault`: after so many calls of this kind, on the catalog."""
    left = [after]

    def fault(call: Call) -> Exception | None:
        if (call.what, call.path) != (what, CATALOG):
            return None
        left[0] -= 1
        return OSError(number, os.strerror(number), call.path) if left[0] < 0 else None

    return fault


class HeldCommit:
    """Lets a checkpoint wait just before its commit, when all its rows are written."""

    def __init__(self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = trio.Event()
        self.go = trio.Event()
        self._commit = catalog._database.commit
        monkeypatch.setattr(catalog._database, "commit", self._wait_and_commit)

    async def _wait_and_commit(self) -> None:
        self.reached.set()
        await self.go.wait()
        await self._commit()
