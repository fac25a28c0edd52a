"""As test_store, in deep states and on broken disks (DESIGN §3.4, invariants 2, 3, 5 to 8, 10, 11 and 13)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.property.operation import Operation
from tests.property.storage.deep_world import DeepWorld, deep_operations

CALM: dict[str, Any] = {"segment_bytes_min": 2_000, "cold_read_bytes": 3_000}
"""Segments of a few messages, and checkpoints when they are asked for."""
RESTLESS: dict[str, Any] = CALM | {
    "checkpoint_journal_bytes": 40_000,
    "checkpoint_interval_seconds": 1.0,
    "replay_memory_bytes_max": 20_000,
}
"""Checkpoints by themselves as well, and replays that spill."""


@examples(25)
@given(steps=deep_operations(max_size=30), options=st.sampled_from([CALM, RESTLESS]))
def test_every_promise_is_kept_in_deep_states_and_on_broken_disks(
    steps: list[Operation], options: dict[str, Any]
) -> None:
    DeepWorld.live_through(steps, **options)


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("options", [CALM, RESTLESS], ids=["calm", "restless"])
@settings(max_examples=20)
@given(steps=deep_operations(max_size=90))
def test_every_promise_is_kept_through_long_lives(steps: list[Operation], options: dict[str, Any], part: int) -> None:
    """Hypothesis draws other examples in each part, of a second each."""
    DeepWorld.live_through(steps, **options)
