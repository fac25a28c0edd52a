"""A daemon for each module, and clients of its HTTP interfaces."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import broker, broker_factory, module_broker, queue_name
from tests.helpers.iron_client import IronClient
from tests.helpers.v1_client import V1Client
from tests.integration.http.conftest import Connect, connect

__all__ = ["Connect", "broker", "broker_factory", "connect", "module_broker", "queue_name"]


@pytest.fixture
def iron(connect: Connect) -> IronClient:
    return IronClient(connect())


@pytest.fixture
def v1(connect: Connect) -> V1Client:
    return V1Client(connect())
