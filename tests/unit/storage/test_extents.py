"""Tests of segue.storage.extents: what is read in one call, and what a damaged or replaced piece does to the rest."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from segue.storage.api import Cursor, Log, Store
from segue.storage.extents import Part, piece_of
from segue.storage.log import Extent
from tests.faults.storage.driver import fill, only, record, run_store, until
from tests.faults.storage.simulated_disk import Call, SimulatedDisk
from tests.unit.storage.catalogs import HeldCommit

_MESSAGES = 10
_BLOCKS = 6
"""Fewer short blocks than a checkpoint joins."""


def extent(first: int, size: int, path: str = "") -> Extent:
    return Extent(first, first, path, 1, size, 0)


# -- what is read in one call


@pytest.mark.parametrize(
    ("extents", "count"),
    [
        ([], 0),
        ([extent(1, 500)], 1),
        ([extent(1, 40), extent(2, 40), extent(3, 20), extent(4, 1)], 3),
        ([extent(1, 40), extent(2, 70), extent(3, 10)], 1),
        ([extent(1, 10), extent(2, 10, "a segment"), extent(3, 10)], 1),
        ([extent(1, 10, "a segment"), extent(2, 10), extent(3, 10)], 1),
        ([extent(number, 1) for number in range(100)], 64),
    ],
)
def test_a_piece_is_one_segment_or_loose_blocks_up_to_a_size_and_a_number(extents: list[Extent], count: int) -> None:
    assert piece_of(extents, 100) == extents[:count]


# -- reading


@pytest.fixture
def disk(tmp_path: Path) -> SimulatedDisk:
    return SimulatedDisk(tmp_path)


def run_loose(disk: SimulatedDisk, body: Callable[[Store], Awaitable[Any]]) -> Any:
    """As `run_store`; nothing here is worth a segment."""
    return run_store(disk, body, segment_bytes_min=1 << 20)


async def with_loose_blocks(store: Store) -> tuple[Log, Cursor]:
    """A log of some loose blocks of messages 1 to 10, 11 to 20 and so on."""
    for _ in range(_BLOCKS):
        await fill(store, _MESSAGES, 20)
        await store.checkpoint()
    log, cursor = only(store)
    assert [(each.first, each.path) for each in log.extents] == [(1 + n * _MESSAGES, "") for n in range(_BLOCKS)]
    return log, cursor


def messages_of(part: Part) -> list[tuple[int, bytes]]:
    return [(seq, data) for first, records in part.runs for seq, data in enumerate(records, first)]


def expected(first: int, last: int) -> list[tuple[int, bytes]]:
    return [(seq, record(f"{seq}", 20)) for seq in range(first, last + 1)]


def noting(calls: list[Call]) -> Callable[[Call], None]:
    """A `fault` that is none, and notes what is read."""
    return lambda call: calls.append(call) if call.what == "fetch" else None


def test_loose_blocks_one_behind_the_other_are_read_in_one_call(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> tuple[Part, list[Call]]:
        log, _ = await with_loose_blocks(store)
        calls: list[Call] = []
        disk.fault = noting(calls)
        return await store.reader.read_range(log, 5, 1000, 1 << 20), calls

    part, calls = run_loose(disk, body)
    assert (messages_of(part), part.damage, part.upto) == (expected(5, 60), [], 61)
    assert calls == [Call("fetch", "catalog.db")]


def test_no_more_is_read_than_was_asked_for(disk: SimulatedDisk) -> None:
    async def body(store: Store) -> list[tuple[int, int]]:
        log, _ = await with_loose_blocks(store)
        size = log.extents[0].bytes
        parts = [
            await store.reader.read_range(log, 1, 15, 1 << 20),
            await store.reader.read_range(log, 15, 1000, 2 * size + 50),
        ]
        return [(part.runs[0][0], part.upto) for part in parts]

    assert run_loose(disk, body) == [(1, 21), (15, 41)]


def test_no_message_before_the_first_comes_along_when_a_checkpoint_joins_the_block_meanwhile(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads on after the middle of a block, as a browser does, has had them already."""

    async def body(store: Store) -> list[Part]:
        log, _ = await with_loose_blocks(store)
        for _ in range(2):
            await fill(store, _MESSAGES, 20)
            await store.checkpoint()
        await fill(store, _MESSAGES, 20)
        parts = []

        async def read() -> None:
            parts.append(await store.reader.read_range(log, 15, 1000, 1 << 20))

        catalog = store.checkpointer._catalog
        commit = HeldCommit(catalog, monkeypatch)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.checkpoint)
            await commit.reached.wait()
            nursery.start_soon(read)
            await until(lambda: catalog._lock.statistics().tasks_waiting == 1)
            commit.go.set()
        assert log.extents[0].last > 2 * _MESSAGES, "they were joined"
        return parts

    (part,) = run_loose(disk, body)
    assert (messages_of(part), part.damage) == (expected(15, 90), [])


def test_a_damaged_loose_block_among_others_is_the_only_one_that_is_set_aside(disk: SimulatedDisk) -> None:
    """Fault 22."""

    async def body(store: Store) -> Part:
        log, _ = await with_loose_blocks(store)
        database = store.checkpointer._catalog._database
        await database.execute("DELETE FROM loose WHERE first=21")
        await database.execute("UPDATE loose SET records=substr(records, 1, length(records) - 1) WHERE first=41")
        part = await store.reader.read_range(log, 1, 1000, 1 << 20)
        await database.rollback()
        return part

    part = run_loose(disk, body)
    assert messages_of(part) == expected(1, 20) + expected(31, 49) + expected(51, 60)
    assert part.damage == [(21, 30, "a block in the catalog is missing"), (50, 50, "its checksum is wrong")]
    assert part.upto == 61


def test_a_checkpoint_joins_what_is_sound_and_leaves_the_damaged_block_where_it_is(disk: SimulatedDisk) -> None:
    """Fault 22: what may be made good by `segue storage salvage` is not thrown away."""

    async def body(store: Store) -> tuple[list[tuple[int, int]], Part]:
        log, _ = await with_loose_blocks(store)
        database = store.checkpointer._catalog._database
        await database.execute("UPDATE loose SET records=substr(records, 1, length(records) - 1) WHERE first=21")
        await database.commit()
        for _ in range(2):
            await fill(store, _MESSAGES, 20)
            await store.checkpoint()
        await fill(store, 1, 20)
        await store.checkpoint()
        return [each[:2] for each in log.extents], await store.reader.read_range(log, 1, 1000, 1 << 20)

    extents, part = run_loose(disk, body)
    assert extents == [(1, 20), (21, 30), (31, 81)]
    assert messages_of(part) == expected(1, 29) + expected(31, 81)
    assert part.damage == [(30, 30, "its checksum is wrong")]


def test_a_checkpoint_leaves_loose_blocks_where_they_are_that_the_disk_does_not_give(disk: SimulatedDisk) -> None:
    """Fault 26: they are joined when it gives them again."""

    async def body(store: Store) -> list[list[tuple[int, int]]]:
        log, _ = await with_loose_blocks(store)
        found = []
        for failing in (True, True, True, False):
            await fill(store, _MESSAGES, 20)
            disk.fault = no_fetch if failing else lambda call: None
            await store.checkpoint()
            found.append([each[:2] for each in log.extents])
        return found

    *_, last, joined = run_loose(disk, body)
    assert last == [(1 + n * _MESSAGES, (1 + n) * _MESSAGES) for n in range(_BLOCKS + 3)]
    assert len(joined) < len(last)


def no_fetch(call: Call) -> Exception | None:
    """A `fault`: the catalog can be written, and not be read."""
    return OSError(errno.EIO, os.strerror(errno.EIO), call.path) if call.what == "fetch" else None
