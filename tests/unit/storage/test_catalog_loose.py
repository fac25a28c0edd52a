"""Tests of segue.storage.catalog: loose blocks, read while nothing happens and while a checkpoint replaces them."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import trio

from segue.storage.catalog import CATALOG, Catalog
from segue.storage.errors import DatabaseDamagedError
from segue.storage.log import Extent, Log
from segue.storage.posix import PosixDisk
from segue.storage.quarantine import Damage
from tests.faults.storage.driver import until
from tests.faults.storage.simulated_disk import Call, SimulatedDisk
from tests.unit.storage.catalogs import LOOSE_EXTENTS, HeldCommit, block, change, everything, failing, opened, write
from tests.unit.storage.memory_store import MemoryStore


def log_of(extents: list[Extent]) -> Log:
    log = Log(MemoryStore(), 1, {})
    log.extents = extents
    return log


ONE_LOG = [extent for log, extent in LOOSE_EXTENTS if log == 1]
BLOCKS = [block(5, 3), block(9, 2)]


async def test_loose_blocks_are_read_in_one_call_and_the_answer_is_complete_up_to_their_end(
    loop: None, tmp_path: Path
) -> None:
    disk = SimulatedDisk(tmp_path)
    calls = list[Call]()
    async with opened(disk) as catalog:
        await write(catalog, everything())
        disk.fault = calls.append
        assert await catalog.loose_blocks(log_of(ONE_LOG), ONE_LOG) == (BLOCKS, [], 11)
        assert calls == [Call("fetch", CATALOG)]
        assert await catalog.loose_blocks(log_of(ONE_LOG), ONE_LOG[:1]) == (BLOCKS[:1], [], 8)


async def test_a_loose_block_that_was_replaced_is_to_be_looked_for_again(loop: None, tmp_path: Path) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything(), change(gone_loose=[(1, 9)]))
        assert await catalog.loose_blocks(log_of([]), ONE_LOG[1:]) == ([], [], 9)
        assert await catalog.loose_blocks(log_of([]), ONE_LOG) == (BLOCKS[:1], [], 8), "what is there is told first"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM loose WHERE first=5",
        "UPDATE loose SET last=8 WHERE first=5",
        "UPDATE loose SET messages=2 WHERE first=5",
        "UPDATE loose SET records='text' WHERE first=5",
    ],
)
async def test_a_loose_block_that_is_not_what_the_log_knows_is_damage_and_the_next_one_is_not(
    loop: None, tmp_path: Path, sql: str
) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything())
        await catalog._database.execute(sql)
        found = await catalog.loose_blocks(log_of(ONE_LOG), ONE_LOG)
        behind = await catalog.loose_blocks(log_of(ONE_LOG), ONE_LOG[1:])
        await catalog._database.rollback()
    assert found == ([], [Damage(5, 7, "a block in the catalog is missing")], 8)
    assert behind == (BLOCKS[1:], [], 11)


async def test_a_page_that_cannot_be_read_keeps_no_block_from_being_read_that_is_on_another(
    loop: None, tmp_path: Path
) -> None:
    """A statement for many rows fails as a whole."""

    def fault(call: Call) -> Exception | None:
        return next(answers) if call.what == "fetch" else None

    disk = SimulatedDisk(tmp_path)
    async with opened(disk) as catalog:
        await write(catalog, everything())
        disk.fault = fault
        answers = iter([DatabaseDamagedError("both"), None])
        assert await catalog.loose_blocks(log_of(ONE_LOG), ONE_LOG) == (BLOCKS[:1], [], 8)
        answers = iter([DatabaseDamagedError("both"), DatabaseDamagedError("the first")])
        with pytest.raises(DatabaseDamagedError, match="the first"):
            await catalog.loose_blocks(log_of(ONE_LOG), ONE_LOG)


JOINED = change(gone_loose=[(1, 9)], loose=[(1, 9, block(9, 3))])
"""Replaces the second block by one that begins with the same number."""


async def test_who_reads_what_a_checkpoint_leaves_alone_does_not_wait_for_it(
    loop: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(PosixDisk(tmp_path)) as catalog:
        await write(catalog, everything())
        commit = HeldCommit(catalog, monkeypatch)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, catalog, JOINED)
            await commit.reached.wait()
            assert await catalog.loose_blocks(log_of(ONE_LOG), ONE_LOG) == (BLOCKS[:1], [], 8)
            commit.go.set()


@pytest.mark.parametrize("full", [False, True])
async def test_who_reads_what_a_checkpoint_replaces_is_told_when_it_is_decided(
    loop: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    disk = SimulatedDisk(tmp_path)
    found: list[Any] = []
    log = log_of(list(ONE_LOG))

    async def checkpoint(catalog: Catalog) -> None:
        if full:
            disk.fault = failing("commit", errno.ENOSPC)
            with pytest.raises(OSError, match="No space left"):
                await catalog.apply(JOINED, log.extents.clear)
        else:
            await catalog.apply(JOINED, log.extents.clear)

    async def read(catalog: Catalog) -> None:
        found.append(await catalog.loose_blocks(log, ONE_LOG[1:]))

    async with opened(disk) as catalog:
        await write(catalog, everything())
        commit = HeldCommit(catalog, monkeypatch)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(checkpoint, catalog)
            await commit.reached.wait()
            nursery.start_soon(read, catalog)
            await until(lambda: catalog._lock.statistics().tasks_waiting == 1)
            assert found == []
            commit.go.set()
    assert found == [(BLOCKS[1:], [], 11) if full else ([], [], 9)]
