"""Dead letters and expiry over a disk that crashes: each message is in one place, or settled for a reason (issue 3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from segue.broker.queue_options import QueueOptions
from tests.property.broker.deaths import Deaths, death_operations, queue_options
from tests.property.operation import Operation


@settings(max_examples=25)
@given(steps=death_operations(max_size=40), options=queue_options())
def test_a_message_that_dies_is_in_one_place_and_is_delivered_neither_late_nor_condemned(
    steps: list[Operation], options: dict[str, QueueOptions]
) -> None:
    Deaths.live_through(steps, options)


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
@settings(max_examples=40)
@given(steps=death_operations(max_size=120), options=queue_options())
def test_it_is_so_through_long_lives(steps: list[Operation], options: dict[str, QueueOptions], part: int) -> None:
    """Hypothesis draws other examples in each part."""
    Deaths.live_through(steps, options)
