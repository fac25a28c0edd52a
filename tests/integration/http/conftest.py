"""A daemon for each module, and raw connections to its HTTP listener."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from tests.helpers.broker_process import BrokerProcess, broker, broker_factory, module_broker
from tests.helpers.http_client import HttpClient

__all__ = ["Connect", "broker", "broker_factory", "connect", "module_broker"]

Connect = Callable[[], HttpClient]


@pytest.fixture
def connect(broker: BrokerProcess) -> Iterator[Connect]:
    """Open connections; they end with the test."""
    clients: list[HttpClient] = []

    def connect() -> HttpClient:
        clients.append(HttpClient(socket.create_connection(broker.http_address, timeout=60)))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()
