"""The real disk: a directory on a POSIX file system. Modes are 0700 and 0600, whatever the umask says."""

from __future__ import annotations

import contextlib
import errno
import os
import weakref
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from segue.storage.aio import AsyncWriter
from segue.storage.disk import Database
from segue.storage.sqlite import open_sqlite

__all__ = ["PosixDisk", "PosixFile"]

_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
_ZEROS = bytes(1 << 20)
_PAGE = 4096
_IDLE_WRITES_MAX = 3
"""Short writes of less than a page, one after the other, before it is a failure."""


class PosixFile:
    """A `segue.storage.disk.File`: one descriptor for reads, one opened O_DSYNC (and O_DIRECT) for writes."""

    def __init__(
        self, path: Path, pwrite: Callable[[int, memoryview, int], int] = os.pwrite, aio: AsyncWriter | None = None
    ) -> None:
        """`pwrite` is there for tests: a disk that writes less than it was asked to is hard to come by."""
        self._pwrite = pwrite
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._writer, direct = _open_writer(path)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.size = os.fstat(self._descriptor).st_size
        # Through the page cache, the kernel would do all of a write before it came back, however long the disk takes.
        self._aio = aio if direct else None
        self._unfinished: tuple[int, memoryview] | None = None

    def begin_write(self, offset: int, data: memoryview) -> bool:
        if self._aio is None:
            return False
        try:
            self._aio.submit(self._writer, offset, data)
        except OSError:
            self._aio = None  # a sandbox may forbid it; the plain way says what is wrong with the disk
            return False
        self._unfinished = offset, data
        return True

    def write_done(self, seconds: float) -> bool:
        assert self._aio is not None
        assert self._unfinished is not None
        if self._aio.wait(seconds) != len(self._unfinished[1]):
            return False  # under way, or short
        self._unfinished = None
        return True

    def finish_write(self) -> None:
        assert self._aio is not None
        assert self._unfinished is not None
        (offset, data), self._unfinished = self._unfinished, None
        if self._aio.wait(None) != len(data):
            self.write_sync(offset, data)

    def write_sync(self, offset: int, data: memoryview) -> None:
        # EINTR is made good by Python itself (PEP 475).
        idle = 0
        while data:
            written = self._pwrite(self._writer, data, offset)
            # Under O_DIRECT the rest of a short write has to start at a page again.
            written -= written % _PAGE
            idle = 0 if written else idle + 1
            if idle == _IDLE_WRITES_MAX:
                raise OSError(errno.EIO, "the disk takes no whole page")
            data = data[written:]
            offset += written

    def read(self, offset: int, size: int) -> bytes:
        # Read through the page cache: O_DIRECT wants aligned memory, and recovery reads each byte once.
        parts = []
        while size > 0:
            part = os.pread(self._descriptor, size, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return b"".join(parts)

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            if self._aio is not None and self._unfinished is not None:
                with contextlib.suppress(OSError):
                    self._aio.wait(None)  # the next file's write must not find this one under way
            os.close(self._descriptor)
            os.close(self._writer)
            self._descriptor = -1


class PosixDisk:
    """A `segue.storage.disk.Disk` below `root`, which must exist."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def _aio(self) -> AsyncWriter | None:
        writer = AsyncWriter.open()
        if writer is not None:
            weakref.finalize(self, writer.give_back).atexit = False
        return writer

    def check_access(self) -> None:
        for path in (self.root, *self.root.glob("*"), *self.root.glob("journal/*.journal")):
            mode = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
            if not os.access(path, mode, effective_ids=True):
                # access() tells no reason; opening does.
                os.close(os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR))
                number = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
                raise OSError(number, os.strerror(number), str(path))

    def create(self, path: str, size: int, *, filled: bool = True) -> PosixFile:
        descriptor = os.open(self.root / path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
        try:
            os.fchmod(descriptor, _FILE_MODE)
            # To find a full disk before anything is written, and to get the blocks side by side.
            os.posix_fallocate(descriptor, 0, size)
            # And then zeros: an unwritten extent would be converted, and so its metadata committed, at each first
            # write into it, which doubles the price of a sync.
            for offset in range(0, size if filled else 0, len(_ZEROS)):
                _write_all(descriptor, memoryview(_ZEROS)[: min(len(_ZEROS), size - offset)], offset)
                # Piece by piece: all of it at once is a wave of writes that the commits of messages would wait behind.
                os.fdatasync(descriptor)
            os.fsync(descriptor)
        except BaseException:
            os.close(descriptor)
            os.unlink(self.root / path)
            raise
        os.close(descriptor)
        return self.open(path)

    def open(self, path: str) -> PosixFile:
        return PosixFile(self.root / path, aio=self._aio)

    def read_head(self, path: str, size: int) -> bytes:
        with open(self.root / path, "rb", buffering=0) as file:
            return file.read(size)

    def rename(self, old: str, new: str) -> None:
        os.rename(self.root / old, self.root / new)

    def unlink(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.root / path)

    def sync_file(self, path: str) -> None:
        descriptor = os.open(self.root / path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, _FILE_MODE)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_directory(self, path: str) -> None:
        descriptor = os.open(self.root / path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def list(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self.root / path))
        except FileNotFoundError:
            return []

    def make_directory(self, path: str) -> None:
        full = self.root / path
        if full.is_dir():
            return
        parent = os.path.dirname(path)
        if parent:
            self.make_directory(parent)
        os.mkdir(full, _DIRECTORY_MODE)
        os.chmod(full, _DIRECTORY_MODE)
        self.sync_directory(parent)

    def remove_directory(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError, OSError):
            os.rmdir(self.root / path)

    def size(self, path: str) -> int:
        try:
            return os.stat(self.root / path).st_size
        except FileNotFoundError:
            return -1

    def free_bytes(self) -> int:
        stat = os.statvfs(self.root)
        return stat.f_bavail * stat.f_frsize

    async def open_database(self, path: str, *, mode: str) -> Database:
        full = self.root / path
        if mode != "read" and not full.exists():
            # SQLite would create it with the umask's mode.
            os.close(os.open(full, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE))
        return await open_sqlite(full, mode)


def _open_writer(path: Path) -> tuple[int, bool]:
    """A descriptor for synchronous writes, and whether it goes past the page cache."""
    flags = os.O_WRONLY | os.O_DSYNC | os.O_CLOEXEC
    try:
        # Past the page cache: one request to the disk instead of write-back plus flush (15 % off a lone sync,
        # 40 % off one of 1 MiB), and the journal doesn't push the segments out of the cache.
        return os.open(path, flags | os.O_DIRECT), True
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(path, flags), False  # tmpfs and some network file systems have no O_DIRECT


def _write_all(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data = data[written:]
        offset += written
