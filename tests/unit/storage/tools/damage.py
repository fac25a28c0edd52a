"""What can happen to the files of a store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["edit", "flip", "overwrite", "replace_bytes"]


def flip(path: Path, offset: int, bit: int = 0) -> None:
    """Flip one bit."""
    with overwrite(path) as data:
        data[offset] ^= 1 << bit


def replace_bytes(path: Path, old: bytes, new: bytes) -> int:
    """Put other bytes in the place of the first that are found; returns where that is."""
    with overwrite(path) as data:
        at = data.index(old)
        data[at : at + len(old)] = new
    return at


@contextmanager
def overwrite(path: Path) -> Iterator[bytearray]:
    """The content of a file, to be changed."""
    data = bytearray(path.read_bytes())
    yield data
    path.write_bytes(data)


@contextmanager
def edit(path: Path) -> Iterator[sqlite3.Connection]:
    """A SQLite file, to be changed by statements."""
    connection = sqlite3.connect(path)
    try:
        with connection:
            yield connection
    finally:
        connection.close()
