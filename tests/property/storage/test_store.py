"""A store keeps its promises under any operations, crashes and restarts (DESIGN §3.4, invariants 1 to 8, 10 and 11)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.property.operation import Operation
from tests.property.storage.world import World, operations

LEAN: dict[str, Any] = {}
"""Only the checkpoints and the spilling that the operations ask for."""
BUSY: dict[str, Any] = {
    "checkpoint_journal_bytes": 40_000,
    "checkpoint_interval_seconds": 0.03,
    "replay_memory_bytes_max": 20_000,
    "cold_read_bytes": 3_000,
}
"""Checkpoints by themselves all the time, replays that spill, small reads."""


@examples(40)
@given(steps=operations())
def test_what_was_confirmed_survives_and_what_was_settled_stays_away(steps: list[Operation]) -> None:
    World.live_through(steps, **LEAN)


@examples(40)
@given(steps=operations())
def test_it_does_so_while_checkpoints_come_and_go(steps: list[Operation]) -> None:
    World.live_through(steps, **BUSY)


@pytest.mark.long
@pytest.mark.parametrize("part", range(12))
@pytest.mark.parametrize("options", [LEAN, BUSY], ids=["lean", "busy"])
@settings(max_examples=25)
@given(steps=operations(max_size=120))
def test_it_does_so_through_long_lives(steps: list[Operation], options: dict[str, Any], part: int) -> None:
    """Hypothesis draws other examples in each part, of half a second to a second each."""
    World.live_through(steps, **options)


@examples(8)
@given(steps=operations(max_size=20), checkpoints=st.booleans())
def test_checkpoint_and_replay_give_the_state_of_every_prefix_of_the_journal(
    steps: list[Operation], checkpoints: bool
) -> None:
    """Invariant 8: whatever batch was the last, and wherever a checkpoint stands."""
    calm = [step for step in steps if "crash" not in step.what and step.what != "stop"]
    if not checkpoints:
        calm = [step for step in calm if step.what != "checkpoint"]
    with World.for_a_while() as world:
        world.play_and_cut_everywhere(calm)
