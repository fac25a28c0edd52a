"""One crash between two lives of a store, where no more than that is played: `Lives` does it again and again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st

from segue.storage.api import Store
from tests.faults.storage.driver import Sequel, run_store
from tests.faults.storage.simulated_disk import CrashModel, SimulatedDisk

__all__ = ["Crash", "crashes"]


@dataclass(frozen=True)
class Crash:
    """When the power goes off, and what is left of what was not synced.

    Attributes:
        after: calls of the disk from the start on; a life of fewer ends without a crash.
    """

    after: int
    model: CrashModel
    seed: int

    @contextmanager
    def end(self, live: Sequel) -> Iterator[SimulatedDisk]:
        """Live on an empty disk. Gives the disk that the crash has left."""

        async def live_on(store: Store) -> None:
            disk.crash_at = len(disk.calls) + self.after
            await live(store)

        with TemporaryDirectory() as folder:
            before, after = Path(folder) / "before", Path(folder) / "after"
            before.mkdir()
            disk = SimulatedDisk(before)
            run_store(disk, live_on)
            yield disk.materialise(after, self.model, random.Random(self.seed))


def crashes(*, after_max: int) -> st.SearchStrategy[Crash]:
    """Crashes at any of so many calls of the disk."""
    return st.builds(
        Crash, st.integers(0, after_max), st.sampled_from(["synced", "posix", "journal"]), st.integers(0, 99)
    )
