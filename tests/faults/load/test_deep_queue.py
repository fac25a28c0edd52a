"""L2: ten million messages wait, and nothing is slower for it."""

from __future__ import annotations

import time

from tests.faults.load.flow import Consumer, Publisher, fill, percentile, watch_memory
from tests.helpers.broker_process import BrokerFactory, BrokerProcess

__all__: list[str] = []

_COUNT = 10_000_000
_MIB = 1024 * 1024


def latency_p99(broker: BrokerProcess, queue: str) -> float:
    """From the time a message is due to its delivery, at 500 a second, on a queue of its own."""
    consumer = Consumer(broker, queue)
    publisher = Publisher(broker, queue, rate=500.0)
    for worker in (consumer, publisher):
        worker.start()
    time.sleep(20.0)
    publisher.finish()
    consumer.finish()
    return percentile(consumer.latencies, 0.99)


def head_p99(broker: BrokerProcess, queue: str, count: int = 5000) -> float:
    """From an acknowledgement to the next message, one at a time, at the head of a queue."""
    client = broker.client()
    client.subscribe(queue, wait=False, headers={"prefetch-count": "1"})
    message = client.expect("MESSAGE")
    times = []
    for _ in range(count):
        began = time.monotonic()
        client.ack(message)
        message = client.expect("MESSAGE")
        times.append(time.monotonic() - began)
    client.disconnect()
    return percentile(times, 0.99)


def seconds_to_first_message(broker: BrokerProcess) -> float:
    began = time.monotonic()
    broker.start()
    client = broker.client()
    client.subscribe("/queue/deep", wait=False, headers={"prefetch-count": "1"})
    client.expect("MESSAGE")
    client.disconnect()
    return time.monotonic() - began


def test_ten_million_messages_wait_and_cost_nothing(broker_factory: BrokerFactory) -> None:
    """L2: RSS at most 256 MiB; ready in 2 s after a stop, in 10 s after a kill; the head as quick as an empty queue."""
    broker = broker_factory()
    fill(broker, "/queue/shallow", 20_000)
    shallow_head = head_p99(broker, "/queue/shallow")
    shallow = latency_p99(broker, "/queue/other")
    memory = watch_memory(broker)
    began = time.monotonic()
    fill(broker, "/queue/deep", _COUNT)
    print(f"filled at {_COUNT / (time.monotonic() - began):.0f}/s")
    deep_head = head_p99(broker, "/queue/deep")
    deep = latency_p99(broker, "/queue/other")
    peak = max(size for _, size in memory.finish())
    assert broker.stop() == 0
    clean = seconds_to_first_message(broker)
    broker.kill()
    killed = seconds_to_first_message(broker)
    print(f"peak {peak // _MIB} MiB, head p99 {shallow_head * 1e3:.2f} -> {deep_head * 1e3:.2f} ms, ")
    print(f"p99 {shallow * 1e3:.2f} -> {deep * 1e3:.2f} ms, clean {clean:.2f} s, killed {killed:.2f} s")
    assert peak <= 256 * _MIB
    assert clean <= 2.0
    assert killed <= 10.0
    # 1 ms is what this client itself adds now and then.
    assert deep_head <= 1.2 * shallow_head + 0.001
    assert deep <= 1.2 * shallow + 0.001
