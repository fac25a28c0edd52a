"""What a play is made of: operations, in lists that hypothesis draws and makes smaller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.faults.storage.simulated_disk import CrashModel

__all__ = ["CRASHES", "Operation", "operation_lists"]

CRASHES = ("crash", "crash_soon", "checkpoint_and_crash")
"""Operations that turn the power off: at the next call of the disk, at one soon after, or in a checkpoint."""


@dataclass(frozen=True)
class Operation:
    """One thing to do. `which` and `amount` choose among what there is at that time."""

    what: str
    which: int = 0
    amount: int = 1
    crash: CrashModel = "synced"
    seed: int = 0


def operation_lists(
    *kinds: Sequence[str], begin: Sequence[Operation] = (), max_size: int, which_max: int = 7, amount_max: int = 20
) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations.

    Args:
        kinds: names of operations; each kind is drawn as often as the others, and so is each name in it.
        begin: what every list begins with.
        max_size: how many more there are at most; a third of that at least.
        which_max: the highest `which`.
        amount_max: the highest `amount`.
    """
    operation = st.builds(
        Operation,
        st.one_of(*map(st.sampled_from, kinds)),
        st.integers(0, which_max),
        st.integers(1, amount_max),
        st.sampled_from(["synced", "posix", "journal"]),
        st.integers(0, 1000),
    )
    return st.lists(operation, min_size=max_size // 3, max_size=max_size).map(lambda rest: [*begin, *rest])
