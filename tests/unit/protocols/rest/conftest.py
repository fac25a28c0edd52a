"""A node over a played store, for what is served to requests."""

from __future__ import annotations

import pytest

from tests.unit.broker.actors import World

__all__: list[str] = []


@pytest.fixture
def world() -> World:
    return World()
