"""Plays operations over a store on a simulated disk, from life to life.

Theory of operation. A life begins with a start, which looks at everything that the store has found and holds it against
the model; it ends with `stop`, or when the disk crashes, which it does at one of its calls: that may be in the middle
of whatever goes on then. What the crash has left is the disk of the next life, which goes on with the operations where
the last one was interrupted. After the last operation there is one more life, in which nothing crashes: the end.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from segue.storage.api import Store
from tests.faults.storage.driver import OPTIONS, Sequel, run_store
from tests.faults.storage.simulated_disk import SimulatedDisk
from tests.property.operation import CRASHES, Operation

__all__ = ["Lives"]


class Lives(ABC):
    """See the module. An operation is a coroutine function of its name with an underscore before it.

    Attributes:
        disk: of this life.
        broken: what was found wrong where nothing can be raised, or where a crash at the same time would hide it.
    """

    _store: Store

    def __init__(self, root: Path, **options: Any) -> None:
        """`root`: a folder for the disks, made here; `options`: of the store, where it is not to have `OPTIONS`."""
        self._root = root
        self._options = options
        self._lives = 0
        (root / "0").mkdir(parents=True)
        self.disk = SimulatedDisk(root / "0")
        self.broken: Exception | None = None
        self._steps: deque[Operation] = deque()
        self._dying = Operation("crash")

    @classmethod
    @contextmanager
    def for_a_while(cls, *arguments: Any, **options: Any) -> Iterator[Self]:
        """Lives in a folder that goes when they are left."""
        with TemporaryDirectory() as folder:
            yield cls(Path(folder) / "lives", *arguments, **options)

    @classmethod
    def live_through(cls, steps: Sequence[Operation], *arguments: Any, **options: Any) -> None:
        """Play operations over lives of their own."""
        with cls.for_a_while(*arguments, **options) as lives:
            lives.play(steps)

    def play(self, steps: Sequence[Operation]) -> None:
        """Do everything, life after life, and look at each start and at the end."""
        self._steps.extend([*steps, Operation("stop")])
        while self._steps:
            if not self._run(self._live):
                self._after_crash(self._dying)
        self.disk.crash_at = None  # a crash that was to come soon, and has not
        assert self._run(self._last_life), "there was no crash, and the end did not come to its end"

    def _run(self, life: Sequel) -> bool:
        """One life. False when it has ended with a crash."""
        ended = self._run_store(life)
        if self.broken is not None:
            raise self.broken
        return ended is not None

    def _run_store(self, life: Sequel) -> Any:
        return run_store(self.disk, life, OPTIONS, **self._options)

    def _after_crash(self, crash: Operation) -> None:
        """The disk of the next life."""
        self._lives += 1
        self.disk = self.disk.materialise(self._root / str(self._lives), crash.crash, random.Random(crash.seed))
        if crash.which % 4 == 0:
            self.disk.crash_at = crash.amount  # in the middle of the recovery, or soon after; once, or it is for ever
            self._dying = replace(crash, which=1, seed=crash.seed + 1)

    async def _live(self, store: Store) -> bool:
        self._store = store
        await self._begin()
        await self._go_on()
        return True

    async def _last_life(self, store: Store) -> bool:
        self._store = store
        await self._end()
        return True

    # -- what a life is made of

    @abstractmethod
    async def _begin(self) -> None:
        """Look at what is there after a start, and go on from that."""

    async def _go_on(self) -> None:
        """Do one operation after the other."""
        while self._steps:
            operation = self._steps.popleft()
            if operation.what == "stop":
                await self._stop()
                break
            await self._step(operation)

    async def _step(self, operation: Operation) -> None:
        if operation.what in CRASHES:
            await self._crash(operation)
        else:
            await getattr(self, f"_{operation.what}")(operation)

    async def _crash(self, operation: Operation) -> None:
        self._dying = operation
        self.disk.crash_at = len(self.disk.calls) + (0 if operation.what == "crash" else operation.amount)
        self.disk.commit_lands = operation.seed % 2 == 0
        if operation.what == "checkpoint_and_crash":
            await self._checkpoint(operation)

    async def _checkpoint(self, operation: Operation) -> None:
        await self._store.checkpoint()

    async def _stop(self) -> None:  # noqa: B027  (a life may just end)
        """Before the store is stopped."""

    async def _end(self) -> None:
        """After everything."""
        await self._begin()
