"""A disk that writes less than it was asked to is asked again (fault 19)."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

import pytest

from segue.storage.posix import PosixDisk, PosixFile

PAGE = 4096


class ShortWriter:
    """Stands in for os.pwrite: takes at most so many bytes of each call."""

    def __init__(self, *limits: int) -> None:
        self.limits = list(limits)
        self.calls: list[tuple[int, int]] = []

    def __call__(self, descriptor: int, data: memoryview, offset: int) -> int:
        limit = self.limits.pop(0) if self.limits else len(data)
        self.calls.append((offset, len(data)))
        os.pwrite(descriptor, data[: limit - limit % PAGE], offset)  # O_DIRECT takes whole pages only
        return min(limit, len(data))


def pages(count: int) -> memoryview:
    memory = mmap.mmap(-1, count * PAGE)
    memory.write(b"".join(bytes([65 + n]) * PAGE for n in range(count)))
    return memoryview(memory)


def file_with(tmp_path: Path, writer: ShortWriter) -> PosixFile:
    PosixDisk(tmp_path).create("f", 16 * PAGE).close()
    return PosixFile(tmp_path / "f", writer)


@pytest.mark.parametrize("limits", [(PAGE,), (PAGE, 2 * PAGE), (5000, 9000), (100, PAGE), (0, 0)])
def test_what_a_short_write_has_left_is_written_from_the_next_page_on(tmp_path: Path, limits: tuple[int, ...]) -> None:
    writer = ShortWriter(*limits)
    file = file_with(tmp_path, writer)
    file.write_sync(PAGE, pages(4))
    assert file.read(PAGE, 4 * PAGE) == bytes(pages(4))
    assert len(writer.calls) == len(limits) + 1
    file.close()


def test_a_disk_that_takes_no_whole_page_has_failed(tmp_path: Path) -> None:
    writer = ShortWriter(100, 100, 100)
    file = file_with(tmp_path, writer)
    with pytest.raises(OSError, match="the disk takes no whole page") as caught:
        file.write_sync(0, pages(2))
    assert caught.value.errno == errno.EIO
    file.close()


def test_a_file_that_could_not_be_made_is_not_left_behind(tmp_path: Path) -> None:
    """Fault 17: the blocks are asked for before anything is written."""
    free = PosixDisk(tmp_path).free_bytes()
    with pytest.raises(OSError, match=r"No space left|File too large") as caught:
        PosixDisk(tmp_path).create("f", free + (1 << 40))
    assert caught.value.errno in (errno.ENOSPC, errno.EFBIG)
    assert not (tmp_path / "f").exists()
