"""A disk over a real temporary folder that remembers what was synced, crashes where it is told to, and fails on demand.

Theory of operation. Every file is an `Inode` with the content that is known to be durable; every change of a name is
pending until the folder is synced. At a crash nothing works any more, and `materialise` builds one of the states that
a real disk could be found in. A commit of the catalog is durable when it returns, and may or may not be there while it
is under way: what SQLite does below that is SQLite's to test.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from segue.storage.catalog import CATALOG
from segue.storage.disk import Database, File, Row, Statement
from segue.storage.posix import PosixDisk

__all__ = ["SECTOR", "Call", "CrashModel", "SimulatedCrash", "SimulatedDisk"]

SECTOR = 512

CrashModel = Literal["synced", "posix", "journal"]
"""What is left of changes that were not synced: nothing; any of them, in torn sectors; those up to some moment."""


class SimulatedCrash(BaseException):
    """The power is off. Not an Exception: nothing may catch it by accident."""


class Call(NamedTuple):
    """One call that changes the disk, or reads a file."""

    what: str
    path: str


@dataclass(eq=False)
class Inode:
    """The durable content of a file, None while it was never synced, and the write that a crash has interrupted."""

    synced: bytearray | None = None
    unsynced: bytes = b""
    in_flight: tuple[int, bytes] | None = None


@dataclass
class Pending:
    """A change of names that is not durable yet: `path` comes to be `inode`, or nothing."""

    path: str
    inode: Inode | None
    old: str = ""


@dataclass
class Names:
    """The names of all files, as they are and as they would be found after a crash."""

    now: dict[str, Inode] = field(default_factory=dict)
    durable: dict[str, Inode] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)

    def change(self, change: Pending) -> None:
        apply(change, self.now)
        self.pending.append(change)

    def sync(self, folder: str) -> None:
        for change in self.pending:
            if os.path.dirname(change.path) == folder:
                apply(change, self.durable)
        self.pending = [change for change in self.pending if os.path.dirname(change.path) != folder]


def apply(change: Pending, names: dict[str, Inode]) -> None:
    """Carry out a change. A file that is renamed has not got its old name any more."""
    if change.old:
        names.pop(change.old, None)
    if change.inode is None:
        names.pop(change.path, None)
    else:
        names[change.path] = change.inode


class SimulatedDisk:
    """A `segue.storage.disk.Disk`.

    Attributes:
        calls: every call that changes something, in order.
        crash_at: the call, counted from 0, at which the power goes off; None for never.
        commit_lands: whether the commit that a crash interrupts, or that fails with EIO, is there afterwards.
        fault: asked before each call, also of reads; an error that it returns is raised instead of the call.
        gate: writes to files wait until it is set.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[Call] = []
        self.crash_at: int | None = None
        self.commit_lands = False
        self.fault: Callable[[Call], Exception | None] = lambda call: None
        self.gate = threading.Event()
        self.gate.set()
        self.crashed = False
        self._disk = PosixDisk(root)
        self._lock = threading.RLock()
        self._names = Names()
        self._catalog: dict[str, bytes] = {}
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.name != f"{CATALOG}-wal":  # SQLite's own; see `note_catalog`
                inode = Inode(bytearray(path.read_bytes()))
                name = str(path.relative_to(root))
                self._names.now[name] = self._names.durable[name] = inode
        self.note_catalog()

    # -- the port

    def check_access(self) -> None:
        self._read("check_access", "")

    def create(self, path: str, size: int, *, filled: bool = True) -> File:
        with self._lock:
            inode = Inode()
            if self._begin("create", path):
                self._names.change(Pending(path, inode))
                inode.unsynced = bytes(size)
                raise SimulatedCrash
            with open(self.root / path, "xb") as file:
                file.truncate(size)
            inode.synced = bytearray(size)
            self._names.change(Pending(path, inode))
            return self.open(path)

    def open(self, path: str) -> File:
        self._read("open", path)
        with self._lock:
            return SimulatedFile(self, path, self._names.now[path])

    def read_head(self, path: str, size: int) -> bytes:
        self._read("read_head", path)
        return self._disk.read_head(path, size)

    def rename(self, old: str, new: str) -> None:
        with self._lock:
            dying = self._begin("rename", new)
            self._names.change(Pending(new, self._names.now[old], old))
            if dying:
                raise SimulatedCrash
            self._disk.rename(old, new)

    def unlink(self, path: str) -> None:
        with self._lock:
            if path not in self._names.now:
                return
            dying = self._begin("unlink", path)
            self._names.change(Pending(path, None))
            if dying:
                raise SimulatedCrash
            self._disk.unlink(path)

    def sync_file(self, path: str) -> None:
        with self._lock:
            if self._begin("sync_file", path):
                raise SimulatedCrash
            self._names.now[path].synced = bytearray((self.root / path).read_bytes())

    def sync_directory(self, path: str) -> None:
        with self._lock:
            if self._begin("sync_directory", path):
                raise SimulatedCrash
            self._names.sync(path)

    def list(self, path: str) -> list[str]:
        self._read("list", path)
        return self._disk.list(path)

    def make_directory(self, path: str) -> None:
        with self._lock:
            if not (self.root / path).is_dir():
                if self._begin("make_directory", path):
                    raise SimulatedCrash
                self._disk.make_directory(path)

    def remove_directory(self, path: str) -> None:
        self._disk.remove_directory(path)

    def size(self, path: str) -> int:
        return self._disk.size(path)

    def free_bytes(self) -> int:
        return self._disk.free_bytes()

    async def open_database(self, path: str, *, mode: str) -> Database:
        self._read("open_database", path)
        with self._lock:
            if mode == "build":
                if self._begin("build", path):
                    raise SimulatedCrash
                self._names.change(Pending(path, Inode()))
        return SimulatedDatabase(self, path, mode, await self._disk.open_database(path, mode=mode))

    # -- for tests

    def materialise(self, root: Path, model: CrashModel, rng: random.Random) -> SimulatedDisk:
        """A disk with one of the states that this one could be found in now."""
        names = dict(self._names.durable)
        for change in surviving(self._names.pending, model, rng):
            apply(change, names)
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        for folder in ("journal", "segments"):
            if (self.root / folder).is_dir():
                (root / folder).mkdir()
        for path, inode in names.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(content(inode, self.root / path, model, rng))
        if CATALOG in names:
            for name, data in self._catalog.items():
                (root / name).write_bytes(data)
        return SimulatedDisk(root)

    def copy(self, root: Path) -> SimulatedDisk:
        """A disk with everything as it is now, synced or not."""
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.root, root)
        return SimulatedDisk(root)

    def flipped(self, root: Path, path: str, bit: int) -> SimulatedDisk:
        """A copy with one bit of a file flipped, counted from the lowest of its first byte."""
        self.copy(root)
        flip_bit(root / path, bit)
        return SimulatedDisk(root)

    def note_catalog(self) -> None:
        """What the catalog's files hold now is durable."""
        names = (CATALOG, f"{CATALOG}-wal")
        self._catalog = {name: (self.root / name).read_bytes() for name in names if (self.root / name).is_file()}

    def begin_commit(self, path: str) -> bool:
        """For `SimulatedDatabase`: True when the crash comes at this call."""
        with self._lock:
            return self._begin("commit", path)

    def begin_write(self, what: str, path: str) -> bool:
        """As `begin_commit`, for other calls."""
        self.gate.wait()
        with self._lock:
            return self._begin(what, path)

    def _begin(self, what: str, path: str) -> bool:
        if self.crashed:
            raise SimulatedCrash
        self.calls.append(Call(what, path))
        if self.crash_at is not None and len(self.calls) > self.crash_at:
            self.crashed = True
            return True
        if (error := self.fault(self.calls[-1])) is not None:
            raise error
        return False

    def _read(self, what: str, path: str) -> None:
        if self.crashed:
            raise SimulatedCrash
        if (error := self.fault(Call(what, path))) is not None:
            raise error


class SimulatedFile:
    """A `segue.storage.disk.File`."""

    def __init__(self, disk: SimulatedDisk, path: str, inode: Inode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode
        self._descriptor = os.open(disk.root / path, os.O_RDWR)
        self.size = os.fstat(self._descriptor).st_size
        self._writes = 0
        self._unfinished: tuple[int, memoryview] | None = None

    def write_sync(self, offset: int, data: memoryview) -> None:
        assert offset >= 0
        assert (offset % 4096, len(data) % 4096) == (0, 0), "a write that O_DIRECT would refuse"
        assert offset + len(data) <= self.size, "a write behind the end of a preallocated file"
        assert self._inode.synced is not None
        self._inode.in_flight = offset, bytes(data)
        if self._disk.begin_write("write_sync", self._path):
            raise SimulatedCrash
        os.pwrite(self._descriptor, data, offset)
        self._inode.synced[offset : offset + len(data)] = data
        self._inode.in_flight = None

    def begin_write(self, offset: int, data: memoryview) -> bool:
        self._unfinished = offset, data
        return True

    def write_done(self, seconds: float) -> bool:
        """Every other write is done in time; the rest is finished by the journal's thread."""
        self._writes += 1
        if self._writes % 2 and self._disk.gate.is_set():
            self.finish_write()
            return True
        return False

    def finish_write(self) -> None:
        assert self._unfinished is not None
        (offset, data), self._unfinished = self._unfinished, None
        self.write_sync(offset, data)

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def sync(self) -> None:
        if self._disk.begin_write("sync", self._path):
            raise SimulatedCrash

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SimulatedDatabase:
    """A `segue.storage.disk.Database`: a real one, whose calls can crash and fail."""

    def __init__(self, disk: SimulatedDisk, path: str, mode: str, real: Database) -> None:
        self._disk = disk
        self._path = path
        self._mode = mode
        self._real = real

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        await self._real.execute(sql, values)

    async def execute_many(self, statements: Iterable[Statement]) -> list[int]:
        changed = []
        for statement in statements:  # each may fail, and others have their turn between them
            if self._disk.begin_write("execute_many", self._path):
                raise SimulatedCrash
            changed += await self._real.execute_many([statement])
        return changed

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        self._disk._read("fetch", self._path)
        return await self._real.fetch(sql, values)

    async def commit(self) -> None:
        try:
            dying = self._disk.begin_commit(self._path)
        except OSError as error:
            if error.errno == errno.EIO and self._disk.commit_lands:
                await self._land()
            raise
        if not dying or self._disk.commit_lands:
            await self._land()
        if dying:
            raise SimulatedCrash

    async def _land(self) -> None:
        await self._real.commit()
        if self._path == CATALOG:
            self._disk.note_catalog()

    async def rollback(self) -> None:
        await self._real.rollback()

    async def close(self) -> None:
        await self._real.close()
        if self._path == CATALOG and not self._disk.crashed:
            self._disk.note_catalog()


def surviving(pending: list[Pending], model: CrashModel, rng: random.Random) -> list[Pending]:
    """Which changes of names are there after a crash."""
    if model == "synced":
        return []
    if model == "journal":
        return pending[: rng.randint(0, len(pending))]
    return [change for change in pending if rng.random() < 0.5]


def content(inode: Inode, real: Path, model: CrashModel, rng: random.Random) -> bytes:
    """What a file may hold after a crash."""
    if inode.synced is None:
        whole = inode.unsynced or (real.read_bytes() if real.is_file() else b"")
        return b"" if model == "synced" else whole[: rng.randint(0, len(whole))]
    data = bytearray(inode.synced)
    if inode.in_flight is not None and model != "synced":
        offset, new = inode.in_flight
        sectors = range(0, len(new), SECTOR)
        reached = rng.randint(0, len(sectors))
        for number, at in enumerate(sectors):
            if number < reached if model == "journal" else rng.random() < rng.choice((0.1, 0.5, 0.9)):
                data[offset + at : offset + at + SECTOR] = new[at : at + SECTOR]
    return bytes(data)


def flip_bit(path: Path, bit: int) -> None:
    """Flip one bit of a real file."""
    with open(path, "r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def no_space(*paths: str) -> Callable[[Call], Exception | None]:
    """A `fault`: a full disk for everything that needs room, or for what has a path that begins with one of `paths`."""

    def fault(call: Call) -> Exception | None:
        needs_room = call.what in ("create", "build", "commit", "execute_many", "make_directory")
        if needs_room and call.path.startswith(paths or ("",)):
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), call.path)
        return None

    return fault
