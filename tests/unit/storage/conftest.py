"""What the tests of storage begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio_asyncio

from tests.unit.storage.memory_store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def loop() -> AsyncIterator[None]:
    """What aiosqlite runs on."""
    async with trio_asyncio.open_loop():
        yield
