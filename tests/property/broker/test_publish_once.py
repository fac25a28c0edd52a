"""Once-only publishing over a disk that crashes: what was accepted is remembered, and nothing else (FAULTS 33, 34)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from segue.broker.queue_options import QueueOptions
from tests.property.broker.publishers import Publishers, publisher_operations, windows
from tests.property.operation import Operation

pytestmark = pytest.mark.usefixtures("small_deduplication")


@settings(max_examples=12)
@given(steps=publisher_operations(max_size=40), options=windows())
def test_a_repeat_adds_nothing_and_a_new_message_is_never_taken_for_one(
    steps: list[Operation], options: QueueOptions
) -> None:
    Publishers.live_through(steps, options)


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
@settings(max_examples=60)
@given(steps=publisher_operations(max_size=120), options=windows())
def test_it_is_so_through_long_lives(steps: list[Operation], options: QueueOptions, part: int) -> None:
    """Hypothesis draws other examples in each part."""
    Publishers.live_through(steps, options)
