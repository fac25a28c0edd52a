"""Tests of segue.storage.aio, and of how a PosixFile uses it."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from segue.storage.aio import AsyncWriter
from segue.storage.posix import PosixDisk, PosixFile

PAGE = 4096


@pytest.fixture
def file(tmp_path: Path) -> PosixFile:
    return PosixDisk(tmp_path).create("f", 16 * PAGE)


def page_of(octet: bytes, pages: int = 1) -> memoryview:
    memory = mmap.mmap(-1, pages * PAGE)
    memory.write(octet * pages * PAGE)
    return memoryview(memory)


def write(file: PosixFile, offset: int, data: memoryview, seconds: float) -> None:
    assert file.begin_write(offset, data)
    if not file.write_done(seconds):
        file.finish_write()


def test_a_write_that_is_waited_for_is_in_the_file(file: PosixFile) -> None:
    write(file, 2 * PAGE, page_of(b"x"), 10.0)
    assert file.read(0, 4 * PAGE) == bytes(2 * PAGE) + b"x" * PAGE + bytes(PAGE)


def test_a_write_that_is_not_waited_for_is_finished_later(file: PosixFile) -> None:
    for number in range(16):
        write(file, number * PAGE, page_of(bytes([65 + number])), 0.0)
    assert file.read(0, 16 * PAGE) == b"".join(bytes([65 + number]) * PAGE for number in range(16))


def test_writes_follow_each_other_on_one_file_in_both_ways(file: PosixFile) -> None:
    write(file, 0, page_of(b"a", 4), 1.0)
    file.write_sync(PAGE, page_of(b"b"))
    write(file, 2 * PAGE, page_of(b"c"), 0.0)
    assert file.read(0, 5 * PAGE) == b"a" * PAGE + b"b" * PAGE + b"c" * PAGE + b"a" * PAGE + bytes(PAGE)


def test_where_the_kernel_offers_no_asynchronous_write_the_thread_does_all_of_it(
    file: PosixFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "_aio", None)
    assert not file.begin_write(0, page_of(b"x"))
    assert file.read(0, PAGE) == bytes(PAGE)
    file.write_sync(0, page_of(b"x"))
    assert file.read(0, PAGE) == b"x" * PAGE


def test_a_write_that_the_kernel_refuses_is_left_to_the_plain_way(file: PosixFile) -> None:
    crooked = page_of(b"x", 2)[1 : PAGE + 1]  # O_DIRECT wants pages: refused at once, or when it is done
    with pytest.raises(OSError, match="Invalid argument"):
        write(file, 0, crooked, 10.0)


def test_a_failed_write_is_an_error_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(PAGE))
    descriptor = os.open(tmp_path / "f", os.O_RDONLY)
    writer = AsyncWriter.open()
    assert writer is not None
    with pytest.raises(OSError, match="io_submit failed"):
        writer.submit(descriptor, 0, page_of(b"x"))
    os.close(descriptor)
    writer.give_back()


def test_a_file_that_is_closed_while_a_write_is_under_way_leaves_none_behind(tmp_path: Path) -> None:
    disk = PosixDisk(tmp_path)
    files = [disk.create(name, 16 * PAGE) for name in ("a", "b")]
    assert files[0].begin_write(0, page_of(b"a", 8))
    files[0].close()
    write(files[1], 0, page_of(b"b"), 10.0)
    assert (tmp_path / "a").read_bytes()[: 8 * PAGE] == b"a" * 8 * PAGE
    assert (tmp_path / "b").read_bytes()[:PAGE] == b"b" * PAGE


def test_a_writer_that_is_given_back_is_the_next_one() -> None:
    writer = AsyncWriter.open()
    assert writer is not None
    writer.give_back()
    assert AsyncWriter.open() is writer
    writer.give_back()


def test_an_unknown_machine_has_no_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "vax")
    assert AsyncWriter.open() is None


def test_a_kernel_without_room_for_one_more_has_no_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """io_setup fails beyond fs.aio-max-nr: the plain way is taken, nothing else changes."""
    monkeypatch.setattr("segue.storage.aio._idle", [])
    monkeypatch.setattr("segue.storage.aio._NUMBERS", dict.fromkeys(("x86_64", "aarch64"), (-1, -1, -1, -1)))
    assert AsyncWriter.open() is None


def test_a_write_that_is_under_way_is_waited_for_by_a_close(tmp_path: Path) -> None:
    """The kernel reads from the buffer until it is done, and the next file has the same writer."""
    disk = PosixDisk(tmp_path)
    for number in range(20):
        file = disk.create(f"{number}", PAGE)
        assert file.begin_write(0, page_of(b"x"))
        file.close()
        assert (tmp_path / f"{number}").read_bytes() == b"x" * PAGE


def test_the_end_of_a_write_can_be_asked_for_again(tmp_path: Path) -> None:
    PosixDisk(tmp_path).create("f", PAGE).close()
    descriptor = os.open(tmp_path / "f", os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
    writer = AsyncWriter.open()
    assert writer is not None
    writer.submit(descriptor, 0, page_of(b"x"))
    assert [writer.wait(None), writer.wait(None), writer.wait(0.0)] == [PAGE, PAGE, PAGE]
    writer.give_back()
    os.close(descriptor)
