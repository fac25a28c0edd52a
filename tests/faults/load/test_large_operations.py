"""L4: what is large for one connection is no delay for the others."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.load.flow import Consumer, Publisher, fill, percentile
from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import Address, StompClient

__all__: list[str] = []

_COUNT = 1_000_000
_P99_SECONDS_MAX = 0.050
_BODY_BYTES = 16 * 1024 * 1024
_UPLOADS = 10
# 16 MiB in one second: a fast line.
_CHUNK_BYTES = 256 * 1024
_CHUNK_SECONDS = 1 / 64


def upload(address: Address, data: Path) -> None:
    """16 MiB bodies, one after the other, at the speed of a line."""
    client = StompClient(address)
    client.connect()
    head = f"SEND\ndestination:/queue/large\ncontent-length:{_BODY_BYTES}\nreceipt:r\n\n".encode()
    chunk = bytes(_CHUNK_BYTES)
    for _ in range(_UPLOADS):
        client.send_bytes(head)
        for _ in range(_BODY_BYTES // _CHUNK_BYTES):
            client.send_bytes(chunk)
            time.sleep(_CHUNK_SECONDS)
        client.send_bytes(b"\0")
        client.expect_receipt("r")
    client.disconnect()


def browse(address: Address, data: Path) -> None:
    """A million messages, read without taking."""
    client = StompClient(address)
    client.connect()
    client.subscribe("/queue/deep", id="b", ack="auto", wait=False, headers={"browser": "true"})
    seen = 0
    while client.expect("MESSAGE").get("browser") != "end":
        seen += 1
    assert seen == _COUNT
    client.disconnect()


def purge(address: Address, data: Path) -> None:
    """A million messages, thrown away."""
    subprocess.run(
        [sys.executable, "-m", "segue.broker", "queue", "purge", "--data", str(data), "deep"],
        check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")},
    )


@pytest.mark.parametrize("operation", [upload, browse, purge], ids=lambda function: function.__name__)
def test_a_large_operation_delays_nobody(
    broker_factory: BrokerFactory, operation: Callable[[Address, Path], None]
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
    # In a process of its own, so that its work is not taken for the broker's delay.
    large = multiprocessing.get_context("spawn").Process(target=operation, args=(broker.address, broker.data))
    first = len(consumer.latencies)
    large.start()
    large.join(300.0)
    during = consumer.latencies[first:]
    assert large.exitcode == 0
    publisher.finish()
    consumer.finish()
    print(f"{operation.__name__}: {len(during)} messages, p50 {percentile(during, 0.5) * 1e3:.2f} ms, ")
    print(f"p99 {percentile(during, 0.99) * 1e3:.2f} ms, max {max(during) * 1e3:.2f} ms")
    assert percentile(during, 0.99) <= _P99_SECONDS_MAX
