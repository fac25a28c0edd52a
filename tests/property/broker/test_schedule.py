"""Messages for later over a disk that crashes: each is in one place, comes once, and none too early (issue 3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.property.broker.waits import Waits, wait_operations
from tests.property.operation import Operation


@settings(max_examples=15)
@given(steps=wait_operations(max_size=30))
def test_a_message_for_later_is_in_one_place_and_comes_in_time(steps: list[Operation]) -> None:
    Waits.live_through(steps)


@pytest.mark.long
@pytest.mark.parametrize("part", range(6))
@settings(max_examples=40)
@given(steps=wait_operations(max_size=100))
def test_it_is_so_through_long_lives(steps: list[Operation], part: int) -> None:
    """Hypothesis draws other examples in each part."""
    Waits.live_through(steps)
