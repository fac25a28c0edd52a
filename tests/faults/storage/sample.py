"""A store with something in every kind of file, as a crash has left it, and a look at all that it gives back."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from segue.storage.api import DamagedStoreError, Log, NewerFormatError, Store, UnusableDirectoryError
from tests.faults.storage.driver import read_all, record, run_store
from tests.faults.storage.simulated_disk import SimulatedDisk

__all__ = ["Found", "Sample", "look_at"]

Records = dict[str, dict[int, bytes]]
"""Log → number → record."""


@dataclass
class Sample:
    """A disk with a store on it.

    Attributes:
        before, after: what is owed before and after the last batch of the journal.
        files: all of its files but LOCK.
    """

    disk: SimulatedDisk
    before: Records = field(default_factory=dict)
    after: Records = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        return sorted(str(p.relative_to(self.disk.root)) for p in self.disk.root.rglob("*") if p.is_file())

    @classmethod
    def make(cls, root: Path) -> Sample:
        """Two logs; segments, a sparse one among them, loose blocks, and batches in the journal."""
        (root / "made").mkdir(parents=True)
        disk = SimulatedDisk(root / "made")
        sample = cls(disk)

        async def life(store: Store) -> None:
            for name in ("busy", "quiet"):
                store.create_cursor(store.create_log({"name": name}), {"name": name})
            busy, quiet = store.logs.values()
            for size in (40, 900, 20):
                await sample.publish(busy, 90, size)
                await sample.publish(quiet, 3, size)
                await store.checkpoint()
            await sample.settle_some(busy, 180)
            await store.checkpoint()
            await sample.publish(busy, 20, 100)
            await sample.settle_some(busy, 20)
            sample.before = {name: dict(records) for name, records in sample.after.items()}
            await sample.publish(quiet, 5, 60)
            disk.crash_at = len(disk.calls)

        run_store(disk, life)
        sample.disk = disk.materialise(root / "sample", "synced", random.Random(0))
        return sample

    async def publish(self, log: Log, count: int, size: int) -> None:
        for _ in range(count):
            data = record(f"{log.head}", size)
            self.after.setdefault(log.definition["name"], {})[log.append(data)] = data
        await log.store.next_commit()

    async def settle_some(self, log: Log, count: int) -> None:
        (cursor,) = log.cursors
        taken = [seq for seq, _ in await read_all(cursor)]
        out = cursor.out.pop()
        settled = random.Random(count).sample(taken, count)
        cursor.settle(list(settled))
        for seq in settled:
            del out[seq], self.after[log.definition["name"]][seq]
        cursor.give_back(out)
        await log.store.next_commit()


@dataclass
class Found:
    """What came out of a store that may be damaged.

    Attributes:
        refused: why it was not opened, empty when it was.
        records: what was delivered.
        set_aside: numbers in quarantine, by log.
        faults: what the store has reported.
    """

    refused: str = ""
    records: Records = field(default_factory=dict)
    set_aside: dict[str, set[int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def look_at(disk: SimulatedDisk) -> Found:
    """Open a store and read all of it, as consumers would."""
    found = Found()

    async def body(store: Store) -> None:
        store.on_fault = lambda log, text: found.faults.append(text)
        found.faults += store.recovery.faults
        for log in store.logs.values():
            for cursor in log.cursors:
                name = cursor.definition["name"]
                found.records[name] = dict(await read_all(cursor))
                found.set_aside[name] = {n for first, last, _ in cursor.quarantined for n in range(first, last + 1)}
                found.faults += [cursor.fault] if cursor.fault else []

    try:
        run_store(disk, body)
    except BaseExceptionGroup as error:
        reason = refusal(error)
        if reason is None:
            raise
        found.refused = str(reason)
    return found


def refusal(error: BaseException) -> BaseException | None:
    """The refusal to open a store that is the only thing in a group of errors."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    known = (DamagedStoreError, NewerFormatError, UnusableDirectoryError)
    return error if isinstance(error, known) else None
