"""What is made small for models of the broker, so that few messages do what else many would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from segue.broker.deduplication import id_window, older_ids, producers

__all__ = ["small_deduplication"]


@pytest.fixture(scope="module")
def small_deduplication() -> Iterator[None]:
    """Few ids stay in memory, runs are short, and the numbers of producers are written anew soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_window, "RECENT_IDS_MAX", 8)
        patch.setattr(id_window, "_RECORD_BYTES_MAX", 5 * 24)
        patch.setattr(older_ids, "_RUN_IDS_MIN", 4)
        patch.setattr(older_ids, "_RUN_IDS_MAX", 8)
        patch.setattr(older_ids, "_RUNS_KEPT", 1)
        patch.setattr(producers, "_ENTRIES_MORE", 3)
        yield
