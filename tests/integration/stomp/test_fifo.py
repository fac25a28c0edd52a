"""First in, first out, with eight producers, returned messages and kills (FAULTS 40).

The full history of a million messages would not fit into memory: a ledger of a few octets a message does here what
`tests.helpers.history` does for the crash campaign.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import Address, ConnectionEnded, NothingArrived, StompClient

__all__: list[str] = []

_PRODUCERS = 8
_QUEUE = "/queue/fifo"
_WINDOW = 200
_RETURN_SHARE = 0.05


class Producer(threading.Thread):
    """One connection of one producer: its numbers in order, until it has sent enough or the broker is gone."""

    def __init__(self, name: str, address: Address, count: int) -> None:
        super().__init__(name=name, daemon=True)
        self.address = address
        self.count = count
        self.confirmed = 0

    def run(self) -> None:
        sent = 0
        try:
            with StompClient(self.address) as client:
                client.connect()
                while self.confirmed < self.count:
                    while sent < self.count and sent - self.confirmed < _WINDOW:
                        client.publish(_QUEUE, f"{self.name}:{sent}".encode(), receipt=str(sent))
                        sent += 1
                    assert client.expect("RECEIPT")["receipt-id"] == str(self.confirmed)
                    self.confirmed += 1
        except (ConnectionEnded, ConnectionError):
            return


class Ledger:
    """What the only consumer has seen."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.seen: dict[str, set[int]] = defaultdict(set)
        self.first = 0
        self._last: dict[str, int] = defaultdict(lambda: -1)
        self._returned: set[tuple[str, int]] = set()
        self._unread_since_start = False

    def restarted(self) -> None:
        self._returned.clear()
        self._unread_since_start = False

    def delivered(self, producer: str, number: int, *, redelivered: bool) -> None:
        if redelivered:
            self._delivered_again(producer, number)
            return
        if number <= self._last[producer]:
            self.violations.append(f"{producer}:{number} after {self._last[producer]}")
        self._last[producer] = number
        self._unread_since_start = True
        self.first += 1
        self.seen[producer].add(number)

    def _delivered_again(self, producer: str, number: int) -> None:
        if (producer, number) in self._returned:
            self._returned.discard((producer, number))
        elif self._unread_since_start:
            self.violations.append(f"{producer}:{number} came back after an unread message")
        self.seen[producer].add(number)

    def returned(self, producer: str, number: int) -> None:
        self._returned.add((producer, number))


def take(client: StompClient, ledger: Ledger, chance: random.Random, *, enough: int) -> None:
    """Take messages, return one in twenty and acknowledge the others, until so many first deliveries are through."""
    while ledger.first < enough:
        frame = client.expect("MESSAGE")
        producer, _, number = frame.body.decode().partition(":")
        ledger.delivered(producer, int(number), redelivered=frame["redelivered"] == "true")
        if chance.random() < _RETURN_SHARE:
            ledger.returned(producer, int(number))
            client.nack(frame)
        else:
            client.ack(frame)


@pytest.mark.parametrize(
    ("total", "kills"), [(8_000, 0), (9_000, 2), pytest.param(1_000_000, 9, marks=pytest.mark.long)]
)
def test_eight_producers_and_one_consumer_keep_the_order(broker_factory: BrokerFactory, total: int, kills: int) -> None:
    """Fault 40."""
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    ledger = Ledger()
    broker = broker_factory()
    client = broker.client()
    producers: list[Producer] = []
    each = total // _PRODUCERS // (kills + 1)
    for life in range(kills + 1):
        names = [f"{producer}.{life}" for producer in range(_PRODUCERS)]
        working = [Producer(name, broker.address, each) for name in names]
        for producer in working:
            producer.start()
        client = subscribe(broker.client())
        ledger.restarted()
        take(client, ledger, chance, enough=ledger.first + each * _PRODUCERS // 2)
        if life < kills:
            broker.kill()
            broker.start()
        for producer in working:
            producer.join()
        producers += working
    # Every producer has finished: the marker is the last message.
    client.publish(_QUEUE, b"marker:0")
    take_the_rest(client, ledger, chance)
    assert ledger.violations == []
    for producer in producers:
        missing = set(range(producer.confirmed)) - ledger.seen[producer.name]
        assert not missing, f"{len(missing)} confirmed messages of {producer.name} never came"


def subscribe(client: StompClient) -> StompClient:
    client.subscribe(_QUEUE, wait=False, headers={"prefetch-count": "200"})
    return client


def take_the_rest(client: StompClient, ledger: Ledger, chance: random.Random) -> None:
    while "marker" not in ledger.seen:
        take(client, ledger, chance, enough=ledger.first + 1)
    while True:
        try:
            frame = client.receive(1.0)
        except NothingArrived:
            return
        producer, _, number = frame.body.decode().partition(":")
        ledger.delivered(producer, int(number), redelivered=frame["redelivered"] == "true")
        client.ack(frame)
