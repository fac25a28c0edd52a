"""Ten gigabytes wait in a process that may have half a gigabyte of memory."""

from __future__ import annotations

from tests.faults.load.flow import Consumer, Publisher
from tests.helpers.broker_process import BrokerFactory, BrokerProcess

__all__: list[str] = []

_ADDRESS_SPACE_BYTES = 512 << 20
_BODY_BYTES = 256 << 10
_COUNT = 10 * (1 << 30) // _BODY_BYTES
_TAKEN = 400


def publish(broker: BrokerProcess, queue: str, count: int) -> None:
    """So many messages, each confirmed."""
    publisher = Publisher(broker, queue, body_bytes=_BODY_BYTES, window=64)
    publisher.start()
    while publisher.is_alive() and publisher.confirmed < count:
        publisher.join(0.2)
    publisher.finish()
    assert publisher.confirmed >= count


def take(broker: BrokerProcess, queue: str) -> list[int]:
    """The numbers of the first messages, acknowledged."""
    consumer = Consumer(broker, queue, prefetch=10)
    consumer.start()
    while consumer.is_alive() and len(consumer.numbers) < _TAKEN:
        consumer.join(0.05)
    consumer.finish()
    return consumer.numbers


def test_ten_gigabytes_wait_in_half_a_gigabyte_of_memory(broker_factory: BrokerFactory) -> None:
    """Fault 51: they are published, survive a kill, and are consumed, with RLIMIT_AS at 512 MiB."""
    broker = broker_factory(address_space_bytes=_ADDRESS_SPACE_BYTES)
    publish(broker, "/queue/deep", _COUNT)
    broker.kill()
    broker.start()
    numbers = take(broker, "/queue/deep")
    assert numbers == list(range(len(numbers)))
    publish(broker, "/queue/other", 10)
    assert broker.is_running
    broker.assert_no_traceback()
