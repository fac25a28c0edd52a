"""L1: producers three times as fast as their consumers, for ten minutes."""

from __future__ import annotations

import time

from tests.faults.load.flow import Consumer, Publisher, watch_memory
from tests.helpers.broker_process import BrokerFactory

__all__: list[str] = []

_MINUTES = 10
_CONSUMER_RATE = 700.0
_PRODUCERS = 3
_MIB = 1024 * 1024


def test_memory_stays_flat_and_consumers_keep_their_rate(broker_factory: BrokerFactory) -> None:
    """L1: RSS rises by less than 64 MiB after minute two, no confirm is lost, nobody is dropped."""
    broker = broker_factory()
    consumer = Consumer(broker, "/queue/l1", rate=_CONSUMER_RATE)
    publishers = [Publisher(broker, "/queue/l1", rate=_CONSUMER_RATE) for _ in range(_PRODUCERS)]
    memory = watch_memory(broker)
    for worker in (consumer, *publishers):
        worker.start()
    time.sleep(_MINUTES * 60)
    rate = consumer.taken / (_MINUTES * 60)
    for publisher in publishers:
        publisher.finish()
    consumer.finish()
    samples = memory.finish()
    after = [size for at, size in samples if at >= 120]
    confirmed = sum(publisher.confirmed for publisher in publishers)
    print(f"consumer {rate:.0f}/s, confirmed {confirmed}, RSS {max(after) // _MIB} MiB")
    # On a machine that is busy with other things nobody gets what he asks for: then it is by what a publisher gets.
    publisher_rate = confirmed / (_MINUTES * 60) / _PRODUCERS
    assert rate >= (0.8 * _CONSUMER_RATE if publisher_rate >= 0.95 * _CONSUMER_RATE else 0.5 * publisher_rate)
    assert max(after) - after[0] < 64 * _MIB
    left = confirmed - consumer.taken
    rest = broker.client()
    rest.subscribe("/queue/l1", wait=False, headers={"prefetch-count": "1000"})
    for _ in range(left):
        rest.ack(rest.expect("MESSAGE"))
    rest.expect_no_message()
