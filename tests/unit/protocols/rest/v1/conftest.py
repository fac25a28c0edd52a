"""Fixtures of the tests of the API."""

from __future__ import annotations

import pytest

from tests.unit.protocols.rest.v1.v1_world import V1World


@pytest.fixture
def world() -> V1World:
    return V1World()
