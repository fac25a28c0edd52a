"""A daemon for each module, a queue for each test, and connections that end with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.helpers.broker_process import BrokerProcess, broker, broker_factory, module_broker, queue_name
from tests.helpers.stomp_client import StompClient

__all__ = ["Connect", "broker", "broker_factory", "connect", "module_broker", "queue", "queue_name", "raw"]

Connect = Callable[..., StompClient]


@pytest.fixture
def queue(queue_name: str) -> str:
    """A queue that no other test knows."""
    return f"/queue/{queue_name}"


@pytest.fixture
def connect(broker: BrokerProcess) -> Iterator[Connect]:
    """Connect and log in: `connect("1.1", heart_beat="0,0")`."""
    clients: list[StompClient] = []

    def connect(version: str | None = "1.2", **headers: str) -> StompClient:
        client = StompClient(broker.address)
        clients.append(client)
        client.connect(version, **headers)
        return client

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def raw(broker: BrokerProcess) -> Iterator[StompClient]:
    """A connection on which nothing has been said."""
    with StompClient(broker.address) as client:
        yield client
