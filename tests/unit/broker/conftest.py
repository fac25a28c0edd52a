"""A node on a store in memory, and a queue of it."""

from __future__ import annotations

import pytest

from segue.broker.queue import Queue
from tests.unit.broker.actors import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def queue(world: World) -> Queue:
    return world.node.queue("q")
