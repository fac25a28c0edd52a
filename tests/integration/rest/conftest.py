"""A daemon for each module, and clients of its HTTP interfaces."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import broker, broker_factory, module_broker, queue_name
from tests.helpers.iron_client import IronClient
from tests.integration.http.conftest import Connect, connect

__all__ = ["Connect", "broker", "broker_factory", "connect", "module_broker", "queue_name"]


@pytest.fixture
def iron(connect: Connect) -> IronClient:
    return IronClient(connect())
