"""A node with messages that wait."""

from __future__ import annotations

import pytest

from tests.unit.broker.schedule.waiting import Waiting


@pytest.fixture
def world() -> Waiting:
    return Waiting()
