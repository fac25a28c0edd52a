"""A world that goes deep: joined and sparse segments, quarantine, disks that are full or broken."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from typing import Any

import trio
from hypothesis import strategies as st
from trio.testing import MockClock

from segue.storage.api import READ_ERRORS, Cursor, DiskFailureError
from tests.faults.storage.driver import OPTIONS, Sequel, run_store, until
from tests.faults.storage.simulated_disk import Call, flip_bit, no_space
from tests.property.operation import Operation, operation_lists
from tests.property.storage.world import World, set_aside

__all__ = ["DeepWorld", "deep_operations"]

Fault = Callable[[Call], Exception | None]

_CLOCK_RATE = 100
"""A retry after five seconds comes after 50 ms."""


def eio(*kinds: tuple[str, str]) -> Fault:
    """A `fault`: calls of these kinds fail on files whose path begins so."""

    def fault(call: Call) -> Exception | None:
        if any(call.what == what and call.path.startswith(path) for what, path in kinds):
            return OSError(errno.EIO, os.strerror(errno.EIO), call.path)
        return None

    return fault


def healthy(call: Call) -> Exception | None:
    """A `fault`: none."""
    return None


TROUBLES: tuple[Fault, ...] = (
    no_space("segments", "catalog"),
    eio(("build", "segments"), ("execute_many", "segments")),
    eio(("sync_file", "segments"), ("rename", "segments")),
    eio(("execute_many", "catalog")),
    eio(("unlink", "segments")),
    eio(("open_database", "segments"), ("fetch", "segments")),
    eio(("fetch", "catalog")),
)
"""What a store lives through."""
BEARABLE_AT_START = TROUBLES[:4]
"""What neither keeps the catalog from being read nor garbage from being removed."""
FATAL: tuple[Fault, ...] = (
    eio(("write_sync", "journal")),
    eio(("commit", "catalog")),
    eio(("rename", "journal/0"), ("sync_directory", "journal")),
)
"""What ends it; nothing that was confirmed is lost."""


def deep_operations(max_size: int = 40) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations that fill segments, empty them, and break what is below."""
    fill = ["append_many", "append_to", "churn"]
    empty = ["consume", "consume", "read", "take_returned", "settle", "return", "skip", "move", "transfer"]
    change = ["create_log", "create_cursor", "create_cursor", "drop_cursor", "drop_log", "redefine"]
    disk = ["checkpoint", "checkpoint", "checkpoint", "wait", "breathe", "browse", "flush"]
    bad = ["damage", "trouble", "give_up", "fail"]
    end = ["crash", "crash_soon", "stop", "checkpoint_and_crash", "checkpoint_and_crash"]
    begin = [
        Operation("create_log"),
        Operation("create_log"),
        Operation("create_cursor", 1, 2),
        Operation("append_many", 0, 30, seed=2),
        Operation("append_to", 7, 2, seed=2),
        Operation("checkpoint"),
    ]
    return operation_lists(
        fill, empty, empty, disk, disk, change, bad, end, begin=begin, max_size=max_size, amount_max=30
    )


class DeepWorld(World):
    """See the module."""

    _failing = False

    # -- lives

    def _run_store(self, life: Sequel) -> Any:
        clock = MockClock(rate=_CLOCK_RATE)
        self._failing = False
        if self.disk.fault not in BEARABLE_AT_START:
            self.disk.fault = healthy
        try:
            return run_store(self.disk, life, OPTIONS, clock, **self._options)
        except BaseExceptionGroup as error:
            if not self._failing or error.subgroup(DiskFailureError) is None:
                raise
            return None  # as after a crash: the process has ended, and who knows what is on disk

    async def _begin(self) -> None:
        self.disk.fault = healthy
        await super()._begin()

    # -- operations

    async def _churn(self, operation: Operation) -> None:
        """Few messages and a checkpoint, again and again: short loose blocks, which are joined when there are many."""
        for _ in range(operation.amount % 12):
            await self._append(Operation("", operation.which, seed=operation.seed))
            await self._checkpoint(operation)

    async def _consume(self, operation: Operation) -> None:
        """Work a queue off, and leave a few messages behind."""
        cursor = self._cursor(operation)
        for _ in range(8 if cursor is not None else 0):
            for _ in range(40):
                await self._take_returned(operation)
            await self._read(Operation("", operation.which, 40))
            held = len(self._held.get(cursor.definition["name"], ()))  # type: ignore[union-attr]
            await self._settle(Operation("", operation.which, max(0, held - operation.seed % 4), seed=operation.seed))
            await self._breathe(operation)
        await self._return(Operation("", operation.which, 400, seed=operation.seed))

    async def _transfer(self, operation: Operation) -> None:
        """A transaction: what was taken from one queue goes to others, and some of it back."""
        cursor, other = self._cursor(operation), self._cursor(Operation("", operation.which + 1))
        if cursor is None or other is None:
            return
        for one, settles in ((cursor, True), (other, False)):
            model, held = self._model_of(one), dict(self._held.get(one.definition["name"], {}))
            seqs = self._choose(one, operation)
            if settles:
                one.settle(seqs)
                model.settled.update(seqs)
            else:
                one.give_back({seq: held[seq] for seq in seqs})
                model.returned.update(seqs)
                model.counts |= {seq: held[seq] for seq in seqs}
        for log in (cursor.log, other.log):
            self._append_one(log, operation)
        self.model.mark()

    async def _redefine(self, operation: Operation) -> None:
        log = self._log(operation)
        if log is not None:
            model = self.model.logs[log.definition["name"]]
            model.version += 1
            self._store.redefine(log, {**log.definition, "version": model.version})
            self.model.mark()

    async def _damage(self, operation: Operation) -> None:
        """Some bytes of a segment change, or go. A crash mends it: what was synced comes back."""
        log = self._log(operation)
        paths = [extent.path for extent in log.extents if extent.path] if log is not None else []
        rng = random.Random(operation.seed)
        path = self.disk.root / rng.choice(paths) if paths else None
        if path is None or not path.is_file() or (size := path.stat().st_size) == 0:
            return
        self.damaged = True
        if operation.amount % 5 == 0:
            os.truncate(path, rng.choice((0, 100, size // 2, size - 1)))
        elif operation.amount % 7 == 0:
            path.unlink()
        else:
            written = [at for at, octet in enumerate(path.read_bytes()) if octet]
            for _ in range(operation.amount % 4 + 1):
                flip_bit(path, 8 * rng.choice(written) + rng.randrange(8))
        if operation.seed % 2:
            await self._consume(operation)

    async def _give_up(self, operation: Operation) -> None:
        cursor = self._cursor(operation)
        if cursor is not None:
            model = self._model_of(cursor)
            gone = set_aside(cursor)
            self._look_aside(cursor, model)
            assert cursor.settle_quarantined() == len(gone)
            model.settled |= gone
            model.aside = set()
            self.model.mark()

    async def _trouble(self, operation: Operation) -> None:
        """The disk is full or fails here and there, until it is mended."""
        self.disk.fault = TROUBLES[operation.amount % len(TROUBLES)] if operation.which else healthy
        if operation.seed % 2:
            await self._consume(operation)

    async def _fail(self, operation: Operation) -> None:
        """Something that can't be lived with."""
        self._failing = True
        self._dying = operation
        self.disk.commit_lands = operation.seed % 2 == 0
        self.disk.fault = FATAL[operation.amount % len(FATAL)]

    async def _checkpoint(self, operation: Operation) -> None:
        try:
            await self._store.checkpoint()
        except OSError:
            assert self.disk.fault is not healthy

    async def _browse(self, operation: Operation) -> None:
        try:
            await super()._browse(operation)
        except READ_ERRORS:
            assert self.disk.fault is not healthy

    async def _breathe(self, operation: Operation) -> None:
        """Wait for all reads that are on their way."""
        self._store.flush()
        await until(lambda: not any(map(is_reading, self._store.cursors.values())))
        await trio.sleep(0.001 * (operation.amount % 3))


def is_reading(cursor: Cursor) -> bool:
    return not cursor.fault and (cursor.window.reading or cursor.fetching)
