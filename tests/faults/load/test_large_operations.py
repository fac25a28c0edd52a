"""L4: what is large for one connection is no delay for the others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from tests.faults.load.flow import Consumer, Publisher, fill, percentile
from tests.helpers.broker_process import BrokerFactory, BrokerProcess

__all__: list[str] = []

_COUNT = 1_000_000
_P99_SECONDS_MAX = 0.050


def upload(broker: BrokerProcess) -> None:
    """16 MiB bodies, one after the other."""
    client = broker.client()
    body = bytes(16 * 1024 * 1024)
    until = time.monotonic() + 15.0
    while time.monotonic() < until:
        client.publish_confirmed("/queue/large", body)


def browse(broker: BrokerProcess) -> None:
    """A million messages, read without taking."""
    client = broker.client()
    client.subscribe("/queue/deep", id="b", ack="auto", wait=False, headers={"browser": "true"})
    seen = 0
    while client.expect("MESSAGE").get("browser") != "end":
        seen += 1
    assert seen == _COUNT


def purge(broker: BrokerProcess) -> None:
    """A million messages, thrown away."""
    done = subprocess.run(
        [sys.executable, "-m", "segue.broker", "queue", "purge", "--data", str(broker.data), "deep"],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("operation", [upload, browse, purge], ids=lambda function: function.__name__)
def test_a_large_operation_delays_nobody(
    broker_factory: BrokerFactory, operation: Callable[[BrokerProcess], None]
) -> None:
    """L4: messages of 1 kB on other connections take at most 50 ms at p99."""
    broker = broker_factory()
    if operation is not upload:
        fill(broker, "/queue/deep", _COUNT)
    consumer = Consumer(broker, "/queue/small")
    publisher = Publisher(broker, "/queue/small", body_bytes=1000, rate=200.0)
    for worker in (consumer, publisher):
        worker.start()
    time.sleep(1.0)
    large = threading.Thread(target=operation, args=(broker,))
    first = len(consumer.latencies)
    large.start()
    large.join(300.0)
    assert not large.is_alive()
    during = consumer.latencies[first:]
    publisher.finish()
    consumer.finish()
    print(f"{operation.__name__}: {len(during)} messages, p50 {percentile(during, 0.5) * 1e3:.2f} ms, ")
    print(f"p99 {percentile(during, 0.99) * 1e3:.2f} ms, max {max(during) * 1e3:.2f} ms")
    assert percentile(during, 0.99) <= _P99_SECONDS_MAX
