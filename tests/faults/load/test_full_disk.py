"""L8: the disk gets full, and the broker knows before the disk does."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.faults.load.flow import Consumer, Publisher
from tests.helpers.broker_process import BrokerFactory

__all__: list[str] = []

_GIB = 1024**3
_NOTICED_SECONDS_MAX = 5.0


def make_ballast(path: Path, size: int) -> None:
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def test_publishers_are_held_at_the_mark_and_consumers_go_on(broker_factory: BrokerFactory, tmp_path: Path) -> None:
    """L8: released by itself when there is room again."""
    status = os.statvfs(tmp_path)
    free = status.f_bavail * status.f_frsize
    step = min(free // 8, 8 * _GIB)
    if step < _GIB:
        pytest.fail("this test needs 8 GiB of free disk")
    broker = broker_factory(
        settings={"storage.disk_free_bytes_min": free - step, "storage.disk_free_hysteresis_bytes": step // 4}
    )
    publisher = Publisher(broker, "/queue/l8", rate=500.0, window=200)
    publisher.start()
    time.sleep(3.0)
    assert publisher.confirmed > 1000
    ballast = tmp_path / "ballast"
    make_ballast(ballast, 2 * step)
    time.sleep(_NOTICED_SECONDS_MAX)
    held_at = publisher.confirmed
    consumer = Consumer(broker, "/queue/l8")
    consumer.start()
    time.sleep(5.0)
    print(f"held at {held_at}, {publisher.confirmed - held_at} more since; drained {consumer.taken}")
    assert publisher.confirmed == held_at
    assert consumer.taken == held_at
    ballast.unlink()
    time.sleep(_NOTICED_SECONDS_MAX)
    assert publisher.confirmed > held_at + 500
    publisher.finish()
    consumer.finish()
