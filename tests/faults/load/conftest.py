"""Every test of this folder is long."""

from __future__ import annotations

import pytest

__all__: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them all: load figures take minutes, and want the machine for themselves."""
    for item in items:
        if "tests/faults/load/" in item.nodeid:
            item.add_marker(pytest.mark.long)
