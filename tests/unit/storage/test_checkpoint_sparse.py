"""Tests of segue.storage.checkpoint: few messages that are left of many don't keep the others on the disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from segue.storage.api import Cursor, Store
from segue.storage.posix import PosixDisk
from tests.faults.storage.driver import fill, only, read_all, record, run_store

_SEGMENTS = 4
_MESSAGES = 2000
_LEFT_OF = 1000


def bytes_of_messages(root: Path) -> int:
    """What lies in segments."""
    return sum(path.stat().st_size for path in (root / "segments").rglob("*.db"))


async def acknowledge_all_but_some(cursor: Cursor) -> list[int]:
    """A consumer takes everything and leaves one in a thousand unacknowledged. Returns these."""
    seqs = [seq for seq, _ in await read_all(cursor, limit=500)]
    left = seqs[::_LEFT_OF]
    (out,) = cursor.out
    gone = [seq for seq in seqs if seq not in left]
    for seq in gone:
        del out[seq]
    cursor.settle(gone)
    return left


async def move_all_but_some(cursor: Cursor) -> list[int]:
    """A job takes everything out of the queue but one in a thousand, which nobody has read. Returns these."""
    seqs = range(cursor.next, cursor.log.durable)
    left = list(seqs[::_LEFT_OF])
    cursor.settle_ahead([seq for seq in seqs if seq not in left])
    return left


@pytest.mark.parametrize("empty", [acknowledge_all_but_some, move_all_but_some])
def test_what_is_left_is_taken_over_while_the_queue_is_in_use(
    tmp_path: Path, empty: Callable[[Cursor], Awaitable[list[int]]]
) -> None:
    async def life(store: Store) -> None:
        for _ in range(_SEGMENTS):
            await fill(store, _MESSAGES, size=100)
            await store.checkpoint()
        _, cursor = only(store)
        peak = bytes_of_messages(tmp_path)
        left = await empty(cursor)
        for _ in range(2):
            cursor.log.append(record("in use"))
            await store.next_commit()
            await store.checkpoint()
        assert bytes_of_messages(tmp_path) == 0 < peak
        kept = [extent for extent in cursor.log.extents if extent.first < _SEGMENTS * _MESSAGES]
        assert [extent.first for extent in kept] == left
        assert sum(extent.bytes for extent in kept) < 0.05 * peak
        for container in list(cursor.out):
            cursor.out.remove(container)
            cursor.give_back(container)
        expected = [(seq, record(f"{seq}", 100)) for seq in left]
        assert (await read_all(cursor))[: len(left)] == expected

    run_store(PosixDisk(tmp_path), life)


def test_the_checkpoint_after_a_purge_gives_the_disk_back(tmp_path: Path) -> None:
    async def life(store: Store) -> None:
        for _ in range(_SEGMENTS):
            await fill(store, _MESSAGES, size=100)
            await store.checkpoint()
        _, cursor = only(store)
        assert cursor.skip_to(cursor.log.durable) == _SEGMENTS * _MESSAGES
        assert bytes_of_messages(tmp_path) > 0
        await store.checkpoint()
        assert bytes_of_messages(tmp_path) == 0
        assert cursor.log.extents == []

    run_store(PosixDisk(tmp_path), life)
