"""Sessions over a node on a store in memory, and a client of theirs."""

from __future__ import annotations

import pytest

from tests.unit.protocols.stomp.actors import Client, StompWorld


@pytest.fixture
def world() -> StompWorld:
    return StompWorld()


@pytest.fixture
def client(world: StompWorld) -> Client:
    return world.client()
