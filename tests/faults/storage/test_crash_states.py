"""The power goes off at each call in the life of a store: what was confirmed is there (faults 2 to 9, 12)."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.faults.storage.simulated_disk import CrashModel
from tests.property.operation import Operation
from tests.property.storage.world import World

# Bodies of SIZES[seed % 5] bytes; `which` is the log or cursor, counted in the order of creation.
LIFE = [
    Operation("create_log"),
    Operation("create_log"),
    Operation("append_many", 0, 12, seed=2),
    Operation("wait"),
    Operation("checkpoint"),
    # A transaction over two queues, and a fan-out to both.
    Operation("append_many", 0, 8, seed=3),
    Operation("append_to", 2, 2, seed=2),
    Operation("wait"),
    Operation("read", 0, 20),
    Operation("settle", 0, 14, seed=1),
    Operation("append_to", 1, 2, seed=2),
    Operation("wait"),
    Operation("checkpoint"),
    # The first queue's segment is sparse, and then empty.
    Operation("read", 0, 20),
    Operation("breathe"),
    Operation("read", 0, 20),
    Operation("settle", 0, 30, seed=2),
    Operation("wait"),
    Operation("checkpoint"),
    Operation("skip", 0, 30),
    Operation("skip", 1, 30),
    Operation("append", 1, seed=4),
    Operation("wait"),
    Operation("checkpoint"),
    Operation("append_many", 0, 5, seed=4),
    Operation("drop_log", 0),
    Operation("wait"),
    # A checkpoint that drops a queue, and then a clean stop.
    Operation("checkpoint"),
    Operation("append", 0, seed=2),
    Operation("wait"),
    Operation("stop"),
    Operation("append", 0, seed=1),
    Operation("wait"),
]
MODELS: tuple[CrashModel, ...] = ("synced", "posix", "journal")


def crash_everywhere(root: Path, model: CrashModel, first: int, stride: int, seed: int = 0, **options: int) -> int:
    """Crash at call `first`, `first + stride` and so on, and count the crashes."""
    for number, call in enumerate(itertools.count(first, stride)):
        # `which=1` lets the recovery after the crash go through; 0 would crash that, too.
        crash = Operation("crash", which=1, crash=model, seed=seed + call)
        if not World(root / f"{call}", **options).play_until(call, LIFE, crash):
            return number
    raise AssertionError


@pytest.mark.parametrize("model", MODELS)
def test_nothing_confirmed_is_lost_wherever_the_power_goes_off(model: CrashModel, tmp_path: Path) -> None:
    """Faults 2, 3 and 4; 6, 7 and 8 as the life goes on; 9 by the transaction and the fan-out in it."""
    assert crash_everywhere(tmp_path, model, MODELS.index(model), 7) > 15


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "seed"), [("synced", 0), ("synced", 1), *itertools.product(("posix", "journal"), range(1, 5))]
)
def test_nothing_confirmed_is_lost_at_any_call_at_all(model: CrashModel, seed: int, tmp_path: Path) -> None:
    """Faults 2, 3 and 4, L12: 500 rebuilt states for `posix` and for `journal`, by four seeds for each call.

    Nothing is drawn for `synced`: there, the two seeds are a commit that has landed, and one that has not.
    """
    assert crash_everywhere(tmp_path, model, 0, 1, 1001 * seed) >= 125


@pytest.mark.parametrize("model", MODELS)
def test_a_crash_in_the_first_start_leaves_a_store_or_nothing(model: CrashModel, tmp_path: Path) -> None:
    """Fault 5."""
    for call in range(12):
        crash = Operation("crash", which=1, crash=model, seed=call)
        assert World(tmp_path / f"{call}").play_until(call, [Operation("create_log"), Operation("wait")], crash)


@pytest.mark.parametrize("model", MODELS)
def test_a_start_may_be_cut_short_again_and_again(model: CrashModel, tmp_path: Path) -> None:
    """Fault 12: each start goes one call further than the one before, and brings part of the journal to disk."""
    world = World(tmp_path / "world", replay_memory_bytes_max=4_000)
    steps = [Operation("create_log"), Operation("append_many", 0, 30, seed=2), Operation("read", 0, 9)]
    world.play_crashing_starts([*steps, Operation("wait"), Operation("settle", 0, 5), Operation("wait")], model, 20)
