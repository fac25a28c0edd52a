"""L11: SIGTERM under full load."""

from __future__ import annotations

import time

import pytest

from tests.faults.load.flow import Publisher
from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import ConnectionEnded

__all__: list[str] = []

_STOP_SECONDS_MAX = 10.0


@pytest.mark.parametrize("attempt", range(5))
def test_a_stop_takes_ten_seconds_at_most_and_keeps_every_confirm(broker_factory: BrokerFactory, attempt: int) -> None:
    broker = broker_factory()
    publishers = [Publisher(broker, f"/queue/{number}", window=500) for number in range(4)]
    for publisher in publishers:
        publisher.start()
    time.sleep(3.0 + attempt)
    began = time.monotonic()
    assert broker.stop() == 0, broker.log
    stopped = time.monotonic() - began
    for publisher in publishers:
        publisher.join(30.0)
        assert isinstance(publisher.failure, ConnectionEnded | ConnectionError | AssertionError), publisher.failure
    print(f"stopped in {stopped:.2f} s, {sum(publisher.confirmed for publisher in publishers)} confirmed")
    assert stopped <= _STOP_SECONDS_MAX
    broker.start()
    for number, publisher in enumerate(publishers):
        client = broker.client()
        client.subscribe(f"/queue/{number}", wait=False, headers={"prefetch-count": "1000"})
        for _ in range(publisher.confirmed):
            client.ack(client.expect("MESSAGE"))
        client.disconnect()
