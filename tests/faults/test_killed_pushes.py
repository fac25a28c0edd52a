"""Fault 9, for pushes: `kill -9` while messages are pushed, and each of them arrives, once for each life at most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.iron_client import IronClient
from tests.helpers.push_receiver import PushReceiver

__all__: list[str] = []

_MESSAGES: Final = 300
_KILLED_AFTER: Final = (40, 90)
"""So many further messages that the receiver has got."""


@pytest.fixture
def receiver() -> Iterator[PushReceiver]:
    with PushReceiver() as found:
        yield found


def test_every_message_is_pushed_though_the_broker_is_killed(
    broker_factory: BrokerFactory, receiver: PushReceiver
) -> None:
    broker = broker_factory(settings={"push.allow_addresses": "127.0.0.0/8"})
    iron = IronClient(broker.http_client())
    subscribers = [{"name": "s", "url": receiver.url("200")}]
    iron.said("PUT", "queues/q", {"queue": {"push": {"subscribers": subscribers}}})
    posted = iron.post("q", *map(str, range(_MESSAGES)))
    received: Counter[str] = Counter()
    for count in _KILLED_AFTER:
        for _ in range(count):
            received[receiver.next().message_id] += 1
        broker.kill()
        broker.start()
    while len(received) < _MESSAGES:
        received[receiver.next().message_id] += 1
    assert received.keys() == set(posted)
    assert max(received.values()) <= 1 + len(_KILLED_AFTER)
