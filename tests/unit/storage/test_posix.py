"""Tests of segue.storage.posix: the contract of `segue.storage.disk.Disk` on a real directory, and its error paths."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from segue.storage.aio import AsyncWriter
from segue.storage.posix import PosixDisk

PAGE = 4096


@pytest.fixture
def disk(tmp_path: Path) -> PosixDisk:
    return PosixDisk(tmp_path)


@pytest.fixture(params=[0, 0o277])
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def page_of(octet: bytes, pages: int = 1) -> memoryview:
    memory = mmap.mmap(-1, pages * PAGE)
    memory.write(octet * pages * PAGE)
    return memoryview(memory)


def failing(number: int) -> Callable[..., Any]:
    def call(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- files


@pytest.mark.parametrize("filled", [True, False])
def test_a_new_file_is_full_of_zeros_that_have_their_blocks(disk: PosixDisk, tmp_path: Path, filled: bool) -> None:
    file = disk.create("f", (2 << 20) + PAGE, filled=filled)
    assert file.size == disk.size("f") == (2 << 20) + PAGE
    assert file.read(0, file.size) == bytes(file.size)
    assert (tmp_path / "f").stat().st_blocks * 512 >= file.size
    file.close()


def test_a_file_that_is_there_is_not_made_again(disk: PosixDisk, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        disk.create("f", PAGE)
    assert disk.read_head("f", 100) == b"kept"


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite", "fdatasync", "fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_of_a_file_that_could_not_be_made_nothing_is_left(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """Fault 17: neither a name nor a descriptor."""
    before = open_descriptors()
    monkeypatch.setattr(os, call, failing(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        disk.create("f", PAGE)
    monkeypatch.undo()
    assert (disk.list(""), open_descriptors()) == ([], before)


def test_zeros_that_are_written_bit_by_bit_are_all_written(disk: PosixDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 19."""
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: pwrite(descriptor, data[:7000], offset))
    file = disk.create("f", 20 * PAGE)
    assert file.size == 20 * PAGE
    file.close()


def test_a_read_at_the_end_of_a_file_is_short_and_one_behind_it_empty(disk: PosixDisk, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(PAGE) + b"end")
    file = disk.open("f")
    assert (file.read(PAGE, 100), file.read(2 * PAGE, 100), file.read(0, 2)) == (b"end", b"", bytes(2))
    file.close()


def test_a_read_that_the_kernel_cuts_short_is_gone_on_with(disk: PosixDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 19."""
    file = disk.create("f", 4 * PAGE)
    file.write_sync(0, page_of(b"x", 4))
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, size, offset: pread(descriptor, min(size, 1000), offset))
    assert file.read(100, 3 * PAGE) == b"x" * 3 * PAGE
    file.close()


def test_a_file_closes_once_and_gives_back_its_descriptors(disk: PosixDisk) -> None:
    before = open_descriptors()
    file = disk.create("f", PAGE)
    assert file.begin_write(0, page_of(b"x"))
    if not file.write_done(1.0):
        file.finish_write()
    file.sync()
    file.close()
    file.close()
    assert open_descriptors() == before


def test_a_file_that_may_not_be_written_leaves_no_descriptor(
    disk: PosixDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(bytes(PAGE))
    before = open_descriptors()
    plain = os.open

    def refuse_writers(path: Any, flags: int, *mode: int) -> int:
        if flags & os.O_WRONLY:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return plain(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse_writers)
    with pytest.raises(PermissionError):
        disk.open("f")
    assert open_descriptors() == before


def test_a_file_system_that_has_no_direct_writes_is_written_the_plain_way(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = os.open

    def refuse_direct(path: Any, flags: int, *mode: int) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return plain(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse_direct)
    file = disk.create("f", 2 * PAGE)
    assert not file.begin_write(0, page_of(b"x")), "it would all be waited for"
    assert file.read(0, PAGE) == bytes(PAGE)
    file.write_sync(0, page_of(b"x"))
    file.write_sync(PAGE, page_of(b"y"))
    assert file.read(0, 2 * PAGE) == b"x" * PAGE + b"y" * PAGE
    file.close()


def test_a_sandbox_that_forbids_asynchronous_writes_is_asked_once(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def refuse(self: AsyncWriter, descriptor: int, offset: int, data: memoryview) -> None:
        asked.append(offset)
        raise OSError(errno.EPERM, "io_submit failed")

    monkeypatch.setattr(AsyncWriter, "submit", refuse)
    file = disk.create("f", 4 * PAGE)
    for number in range(3):
        assert not file.begin_write(number * PAGE, page_of(b"x"))
        file.write_sync(number * PAGE, page_of(b"abc"[number : number + 1]))
    assert asked == [0]
    assert file.read(0, 4 * PAGE) == b"a" * PAGE + b"b" * PAGE + b"c" * PAGE + bytes(PAGE)
    file.close()


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_what_an_asynchronous_write_has_left_is_written_by_the_thread(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Fault 19."""
    wait = AsyncWriter.wait

    def wait_for_one_page(self: AsyncWriter, limit: float | None) -> int:
        return min(PAGE, wait(self, limit))

    monkeypatch.setattr(AsyncWriter, "wait", wait_for_one_page)
    file = disk.create("f", 4 * PAGE)
    assert file.begin_write(PAGE, page_of(b"x", 3))
    assert not file.write_done(seconds)
    file.finish_write()
    assert file.read(0, 4 * PAGE) == bytes(PAGE) + b"x" * 3 * PAGE
    file.close()


def test_an_asynchronous_write_that_fails_is_an_error_and_not_tried_again(
    disk: PosixDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 15: after a failed sync a second one would succeed, and prove nothing."""
    file = disk.create("f", PAGE)
    monkeypatch.setattr(AsyncWriter, "wait", failing(errno.EIO))
    assert file.begin_write(0, page_of(b"x"))
    with pytest.raises(OSError, match="Input/output error"):
        file.write_done(1.0)
    with pytest.raises(OSError, match="Input/output error"):
        file.finish_write()
    monkeypatch.undo()
    file.close()


# -- the directory


def test_missing_files_have_no_size_no_names_and_need_no_removal(disk: PosixDisk) -> None:
    disk.unlink("none")
    disk.remove_directory("none")
    assert (disk.size("none"), disk.list("none")) == (-1, [])
    for call in (disk.open, disk.sync_file, disk.sync_directory):
        with pytest.raises(FileNotFoundError):
            call("none")


def test_a_folder_that_is_not_empty_stays(disk: PosixDisk, tmp_path: Path) -> None:
    disk.make_directory("a/b")
    (tmp_path / "a/b/f").touch()
    disk.remove_directory("a/b")
    assert disk.list("a") == ["b"]
    disk.unlink("a/b/f")
    disk.remove_directory("a/b")
    assert disk.list("a") == []


def test_names_are_sorted_and_move_in_one_piece(disk: PosixDisk, tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).write_text(name)
    disk.rename("c", "a")
    disk.sync_directory("")
    assert disk.list("") == ["a", "b"]
    assert disk.read_head("a", 9) == b"c"


async def test_what_is_made_is_for_nobody_else_whatever_the_umask_says(
    any_umask: None, disk: PosixDisk, tmp_path: Path
) -> None:
    """Fault 104."""
    disk.make_directory("a/b")
    disk.make_directory("a/b")
    disk.create("a/f", PAGE).close()
    (tmp_path / "a/other").touch()
    os.chmod(tmp_path / "a/other", 0o644)
    disk.sync_file("a/other")  # SQLite has made it
    assert [mode_of(tmp_path / name) for name in ("a", "a/b", "a/f", "a/other")] == [0o700, 0o700, 0o600, 0o600]


def test_a_disk_that_can_be_used_passes_and_shows_no_change(disk: PosixDisk, tmp_path: Path) -> None:
    disk.make_directory("journal")
    disk.create("journal/0.journal", PAGE).close()
    before = sorted(tmp_path.rglob("*"))
    disk.check_access()
    assert sorted(tmp_path.rglob("*")) == before
    assert disk.free_bytes() > 0
