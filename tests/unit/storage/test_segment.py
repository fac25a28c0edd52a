"""Tests of segue.storage.segment: how a segment gets to the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio_asyncio

from segue.storage.block import blocks_of
from segue.storage.posix import PosixDisk
from segue.storage.segment import open_segment, write_segment

_PATH = "segments/1/1-0.db"
_SALT = 7


class CountingDisk(PosixDisk):
    """Notes how large a file is each time that it is synced."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.synced_sizes: list[int] = []

    def sync_file(self, path: str) -> None:
        self.synced_sizes.append(self.size(path))
        super().sync_file(path)


@pytest.mark.parametrize(("count", "size"), [(5, 5 << 20), (400, 100_000), (100_000, 256)])
def test_a_segment_is_synced_piece_by_piece_however_large_its_messages(tmp_path: Path, count: int, size: int) -> None:
    """Or the commits of messages would wait behind a wave of writes."""
    disk = CountingDisk(tmp_path)

    async def write_and_read() -> list[tuple[int, int]]:
        async with trio_asyncio.open_loop():
            messages = ((number, bytes([number % 251]) * size) for number in range(1, count + 1))
            await write_segment(disk, _PATH, 1, _SALT, blocks_of(messages))
            found = []
            reader = await open_segment(disk, _PATH, 1, _SALT, 1, count)
            while not reader.done:
                found += [(block.first, len(block.records)) for block in await reader.read(1 << 20)]
            await reader.close()
            assert reader.damage == []
            return found

    found = trio.run(write_and_read)
    assert sum(octets for _, octets in found) == count * size
    assert found[0][0] == 1
    steps = [after - before for before, after in zip([0, *disk.synced_sizes], disk.synced_sizes, strict=False)]
    assert len(steps) > 4
    assert max(steps) < (8 << 20) + 2 * size
