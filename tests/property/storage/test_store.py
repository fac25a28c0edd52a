"""A store keeps its promises under any operations, crashes and restarts (DESIGN §3.4, invariants 1 to 8, 10 to 12)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from tests.property.storage.world import Operation, World, operations


@pytest.fixture
def root() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


@settings(max_examples=60)
@given(steps=operations())
def test_what_was_confirmed_survives_and_what_was_settled_stays_away(steps: list[Operation]) -> None:
    with TemporaryDirectory() as folder:
        World(Path(folder) / "world").play(steps)
