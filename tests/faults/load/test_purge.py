"""A purge returns at once, whatever the depth, and gives the disk back with the next checkpoint (issue 3, item 11)."""

from __future__ import annotations

import time
from pathlib import Path

from segue.broker.cli.control_client import ControlClient
from tests.faults.load.flow import Consumer, Publisher, fill, percentile
from tests.helpers.broker_process import BrokerFactory

__all__: list[str] = []

_COUNT = 2_000_000
_SECONDS_MAX = 1.0
_SECONDS_BEFORE = 10.0
_P99_SECONDS_MAX = 0.050


def bytes_of_segments(data: Path) -> int:
    return sum(path.stat().st_size for path in (data / "segments").rglob("*.db"))


def test_a_purge_returns_within_a_second_and_stalls_nobody(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    fill(broker, "/queue/deep", _COUNT, body_bytes=100)
    consumer = Consumer(broker, "/queue/small")
    publisher = Publisher(broker, "/queue/small", rate=500.0)
    for worker in (consumer, publisher):
        worker.start()
    with ControlClient(broker.data / "control.sock", broker.data, 60.0) as client:
        time.sleep(_SECONDS_BEFORE)
        done = int(client.ask("status")["checkpoints"]["done"])
        first = len(consumer.latencies)
        assert bytes_of_segments(broker.data) > 0
        began = time.monotonic()
        assert client.ask("queue.purge", {"queue": "deep"})["purged"] == _COUNT
        seconds = time.monotonic() - began
        while int(client.ask("status")["checkpoints"]["done"]) < done + 2:  # one may have been under way
            time.sleep(1.0)
    while bytes_of_segments(broker.data):  # they are removed behind the checkpoint
        time.sleep(0.1)
    publisher.finish()
    consumer.finish()
    before, during = consumer.latencies[:first], consumer.latencies[first:]
    print(f"purged in {seconds * 1e3:.0f} ms; p99 {percentile(before, 0.99) * 1e3:.1f} -> ")
    print(f"{percentile(during, 0.99) * 1e3:.1f} ms, max {max(during) * 1e3:.1f} ms")
    assert seconds <= _SECONDS_MAX
    # On a machine that others use as well, 50 ms may be nothing that a purge has to do with.
    assert percentile(during, 0.99) <= max(_P99_SECONDS_MAX, 2 * percentile(before, 0.99))
