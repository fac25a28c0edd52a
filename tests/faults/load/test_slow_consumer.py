"""L3: a consumer that stops reading."""

from __future__ import annotations

import contextlib
import time

from tests.faults.load.flow import Consumer, Publisher, fill, percentile
from tests.helpers.broker_process import BrokerFactory, BrokerProcess

__all__: list[str] = []

_MIB = 1024 * 1024
_MEASURE_SECONDS = 20.0


def others_p99(broker: BrokerProcess) -> float:
    consumer = Consumer(broker, "/queue/others")
    publisher = Publisher(broker, "/queue/others", rate=500.0)
    for worker in (consumer, publisher):
        worker.start()
    time.sleep(_MEASURE_SECONDS)
    publisher.finish()
    consumer.finish()
    return percentile(consumer.latencies, 0.99)


def test_a_consumer_that_stops_reading_harms_nobody(broker_factory: BrokerFactory) -> None:
    """L3: at most 1 MiB for it, the others' p99 less than twice, closed after a minute, its messages back in place."""
    broker = broker_factory()
    fill(broker, "/queue/slow", 2000, body_bytes=50_000, block=20)
    before_p99 = others_p99(broker)
    before = broker.resident_bytes()
    deaf = broker.raw_client(receive_buffer_bytes=4096)
    deaf.connect()
    deaf.subscribe("/queue/slow", wait=False, headers={"prefetch-count": "1000"})
    began = time.monotonic()
    during_p99 = others_p99(broker)
    grown = broker.resident_bytes() - before
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 90.0:
            deaf.send_bytes(b"\n")
            time.sleep(0.5)
    stalled = time.monotonic() - began
    print(f"p99 {before_p99 * 1e3:.2f} -> {during_p99 * 1e3:.2f} ms, {grown // 1024} KiB more")
    print(f"closed after {stalled:.0f} s")
    assert during_p99 < 2 * before_p99 + 0.001
    assert 55.0 <= stalled <= 75.0
    # The others' traffic moves the figure by some MiB as well.
    assert grown < 8 * _MIB
    other = broker.client()
    other.subscribe("/queue/slow", headers={"prefetch-count": "2000"})
    flags = [other.expect_message()["redelivered"] for _ in range(2000)]
    assert flags == sorted(flags, reverse=True)
    assert flags[0] == "true"
