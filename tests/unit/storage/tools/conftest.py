"""Stores to look at and to break: written once, copied for each test."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.unit.storage.tools.stores import write_plain_store


@pytest.fixture(scope="session")
def _originals(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    folder = tmp_path_factory.mktemp("stores")
    made = {crash: folder / ("crashed" if crash else "stopped") for crash in (False, True)}
    for crash, root in made.items():
        trio.run(partial(write_plain_store, root, crash=crash))
    return made


@pytest.fixture
def stopped_store(_originals: dict[bool, Path], tmp_path: Path) -> Path:
    """A store behind a clean stop: all of it is in the catalog and in segments."""
    return Path(shutil.copytree(_originals[False], tmp_path / "stopped"))


@pytest.fixture
def crashed_store(_originals: dict[bool, Path], tmp_path: Path) -> Path:
    """A store behind a crash: its journal has a queue that is not in the catalog, and one that was deleted."""
    return Path(shutil.copytree(_originals[True], tmp_path / "crashed"))
