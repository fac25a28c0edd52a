"""Every feature of queues with every other, over a disk that crashes (issue 3): it is the combinations that break."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.property.broker.mixture.draws import TwoOptions, mixture_operations, mixture_options
from tests.property.broker.mixture.mixture import Mixture
from tests.property.operation import Operation

pytestmark = pytest.mark.usefixtures("small_deduplication")


@settings(max_examples=12)
@given(steps=mixture_operations(max_size=40), options=mixture_options())
def test_each_message_is_in_one_place_and_comes_in_time_in_turn_and_once(
    steps: list[Operation], options: TwoOptions
) -> None:
    Mixture.live_through(steps, options)


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
@settings(max_examples=25)
@given(steps=mixture_operations(max_size=120), options=mixture_options())
def test_it_is_so_through_long_lives(steps: list[Operation], options: TwoOptions, part: int) -> None:
    """Hypothesis draws other examples in each part."""
    Mixture.live_through(steps, options)
