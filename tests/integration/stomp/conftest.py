"""A daemon for each module, a queue for each test, and connections that end with it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.helpers.broker_process import BrokerProcess, broker_factory, module_broker
from tests.helpers.stomp_client import StompClient

__all__ = ["Connect", "broker", "broker_factory", "connect", "module_broker", "queue", "raw"]

_numbers = itertools.count(1)

Connect = Callable[..., StompClient]


@pytest.fixture
def broker(module_broker: BrokerProcess) -> BrokerProcess:
    """The running daemon; other tests of the module use it too."""
    return module_broker


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    """A queue that no other test knows."""
    return f"/queue/{request.node.originalname}-{next(_numbers)}"


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
