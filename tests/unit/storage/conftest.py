"""What the tests of cursors and logs begin with."""

from __future__ import annotations

import pytest

from tests.unit.storage.memory_store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()
