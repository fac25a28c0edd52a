"""Once-only publishing over a disk that crashes: what was accepted is remembered, and nothing else (FAULTS 33, 34)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from segue.broker.deduplication import id_window, older_ids, producers
from segue.broker.queue_options import QueueOptions
from tests.property.broker.publishers import Publishers, publisher_operations, windows
from tests.property.operation import Operation


@pytest.fixture(scope="module", autouse=True)
def small_pieces() -> Iterator[None]:
    """Few ids stay in memory, runs are short, and the numbers of producers are written anew soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_window, "RECENT_IDS_MAX", 8)
        patch.setattr(id_window, "_RECORD_BYTES_MAX", 5 * 24)
        patch.setattr(older_ids, "_RUN_IDS_MIN", 4)
        patch.setattr(older_ids, "_RUN_IDS_MAX", 8)
        patch.setattr(older_ids, "_RUNS_KEPT", 1)
        patch.setattr(producers, "_ENTRIES_MORE", 3)
        yield


@settings(max_examples=12)
@given(steps=publisher_operations(max_size=40), options=windows())
def test_a_repeat_adds_nothing_and_a_new_message_is_never_taken_for_one(
    steps: list[Operation], options: QueueOptions
) -> None:
    with Publishers.for_a_while(options) as publishers:
        publishers.play(steps)


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
@settings(max_examples=60)
@given(steps=publisher_operations(max_size=120), options=windows())
def test_it_is_so_through_long_lives(steps: list[Operation], options: QueueOptions, part: int) -> None:
    """Hypothesis draws other examples in each part."""
    with Publishers.for_a_while(options) as publishers:
        publishers.play(steps)
