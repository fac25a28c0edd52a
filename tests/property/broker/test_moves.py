"""Jobs over a disk that crashes: a message that is moved is in one queue or in the other (FAULTS row 9)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.property.broker.moves import Moves, move_operations
from tests.property.examples import examples
from tests.property.operation import Operation


@examples(15)
@given(steps=move_operations(max_size=30))
def test_a_message_that_is_moved_is_in_one_queue_whatever_happens(steps: list[Operation]) -> None:
    Moves.live_through(steps)


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
@settings(max_examples=40)
@given(steps=move_operations(max_size=90))
def test_it_is_so_through_long_lives(steps: list[Operation], part: int) -> None:
    """Hypothesis draws other examples in each part."""
    Moves.live_through(steps)
