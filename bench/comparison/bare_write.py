"""The least that a durable message can cost here: 4 KiB written at a place, and on the disk when the call returns."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from segue.bench.histogram import Histogram, Percentiles

__all__ = ["measure_bare_write"]

_BLOCK_BYTES = 4096
_FILE_BYTES = 16 * 1024 * 1024


def measure_bare_write(directory: Path, seconds: float) -> Percentiles:
    """Write block after block into a preallocated file, and time each.

    The file is filled and synced first: a block that was only reserved would have to be marked as written, which is a
    second write in the file system's own journal.

    Args:
        directory: on the disk that is asked about.
        seconds: how long.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=directory, prefix="bare-write-") as file:
        file.write(bytes(_FILE_BYTES))
        file.flush()
        os.fsync(file.fileno())
        descriptor = os.open(file.name, os.O_WRONLY | os.O_DSYNC)
        try:
            return _time_writes(descriptor, seconds)
        finally:
            os.close(descriptor)


def _time_writes(descriptor: int, seconds: float) -> Percentiles:
    histogram = Histogram()
    block = os.urandom(_BLOCK_BYTES)
    offset = 0
    end = time.monotonic_ns() + int(seconds * 1e9)
    before = time.monotonic_ns()
    while before < end or not histogram.count:
        os.pwrite(descriptor, block, offset)
        now = time.monotonic_ns()
        histogram.record(now - before)
        offset = (offset + _BLOCK_BYTES) % _FILE_BYTES
        before = now
    measured = histogram.percentiles()
    assert measured is not None
    return measured
