"""Fault 1, for groups and selectors: `kill -9` while messages are set aside, out, and being acknowledged.

Behind each start a message whose acknowledgement was confirmed never comes again, each group goes on in its order from
the first that was not acknowledged, with one consumer at a time, and in the end nothing is missing.
"""

from __future__ import annotations

import random
import select
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults.campaign import BUSY_STORE
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.helpers.stomp_frames import Frame

__all__: list[str] = []

_QUEUE = "/queue/groups"
_GROUPS = 40
_COUNT = 720
_BODY_BYTES = 4000
_PREFETCH = 8
_DELIVERIES_A_LIFE = 80
_PATIENCE_SECONDS = 60.0
_LAST = "last"
_SELECTORS = ("kind = '0'", "kind = '1'", "kind <> '2'", "kind < 2")


@dataclass
class Ledger:
    """What the consumers of all lives know of each message, by its number; its group is the remainder by `_GROUPS`.

    Attributes:
        sent: acknowledged, but nobody knows whether the broker has heard of it.
        confirmed: acknowledged, and the receipt was read.
        seen: delivered in some life.
        out: consumer of each message that was delivered in this life and is not acknowledged.
        reached: the last of each group that was delivered in this life.
    """

    sent: set[int] = field(default_factory=set)
    confirmed: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    out: dict[int, Worker] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)

    def begin_life(self) -> None:
        self.out.clear()
        self.reached.clear()

    def deliver(self, number: int, redelivered: bool, to: Worker) -> None:
        """A message has come: it had to be this one, and this consumer."""
        group = number % _GROUPS
        assert number not in self.confirmed, f"message {number} comes again, though it was acknowledged"
        assert redelivered or number not in self.seen, f"message {number} comes again, and does not say so"
        last = self.reached.get(group, group - _GROUPS)
        assert number > last, f"message {number} comes behind {last} of its group"
        passed = set(range(last + _GROUPS, number, _GROUPS))
        assert passed <= self.sent | self.confirmed, f"message {number} has overtaken {passed} of its group"
        others = {out for out, holder in self.out.items() if out % _GROUPS == group and holder is not to}
        assert not others, f"message {number} is out with one consumer, {others} of its group with another"
        self.reached[group] = number
        self.seen.add(number)
        self.out[number] = to


class Worker:
    """A consumer, with a selector or without."""

    def __init__(self, client: StompClient, ledger: Ledger, selector: str = "") -> None:
        self.client = client
        self.held: deque[Frame] = deque()
        self.has_last = False
        self._ledger = ledger
        headers = {"prefetch-count": str(_PREFETCH)} | ({"selector": selector} if selector else {})
        self.client.connect()
        self.client.subscribe(_QUEUE, wait=False, headers=headers)

    def take(self, frame: Frame) -> None:
        """What the broker has sent."""
        if frame.command == "RECEIPT":
            self._ledger.confirmed.add(int(frame["receipt-id"]))
            return
        assert frame.command == "MESSAGE", frame
        self.held.append(frame)
        if frame["number"] == _LAST:
            self.has_last = True
        else:
            self._ledger.deliver(int(frame["number"]), frame.get("redelivered") == "true", self)

    def acknowledge(self, *, asks: bool = True) -> None:
        """The first of what is held; nobody waits for the receipt, if he asks for one."""
        frame = self.held.popleft()
        number = frame["number"]
        if number != _LAST:
            self._ledger.sent.add(int(number))
            del self._ledger.out[int(number)]
            self.client.ack(frame, receipt=number if asks else None)

    def read(self) -> None:
        """What has come: at least one frame."""
        frame: Frame | None = self.client.receive(_PATIENCE_SECONDS)
        while frame is not None:
            self.take(frame)
            frame = self.client.receive_arrived()

    def read_receipts_to_the_end(self) -> None:
        """The broker was killed: what it has confirmed before is confirmed."""
        for frame in self.client.read_to_end(_PATIENCE_SECONDS):
            if frame.command == "RECEIPT":
                self._ledger.confirmed.add(int(frame["receipt-id"]))


def fill(broker: BrokerProcess, kinds: int) -> None:
    """All messages, confirmed; each group is of one kind, and nobody selects the third."""
    with broker.client() as client:
        for number in range(_COUNT):
            group = number % _GROUPS
            headers = {"JMSXGroupID": f"group {group}", "kind": str(group % kinds), "number": str(number)}
            client.publish(_QUEUE, bytes(_BODY_BYTES), headers=headers)
        client.publish_confirmed("/queue/filled")


def live_and_die(broker: BrokerProcess, ledger: Ledger, chance: random.Random) -> None:
    """Work until enough was delivered, and kill the broker with acknowledgements on their way."""
    ledger.begin_life()
    with ExitStack() as stack:
        # Not the broker's own clients: those are closed with it, and what it has said last would not be read.
        clients = [stack.enter_context(StompClient(broker.address)) for _ in _SELECTORS]
        workers = [Worker(client, ledger, selector) for client, selector in zip(clients, _SELECTORS, strict=True)]
        work(workers, chance)
        broker.kill()
        for worker in workers:
            worker.read_receipts_to_the_end()


def work(workers: list[Worker], chance: random.Random) -> None:
    """Until enough was delivered, and each has sent an acknowledgement that nobody waits for."""
    by_socket = {worker.client.socket: worker for worker in workers}
    delivered = 0
    while delivered < _DELIVERIES_A_LIFE:
        readable, _, _ = select.select(list(by_socket), [], [], _PATIENCE_SECONDS)
        assert readable, f"nothing comes any more, behind {delivered} messages of this life"
        worker = by_socket[chance.choice(readable)]
        before = len(worker.held)
        worker.read()
        delivered += len(worker.held) - before
        while len(worker.held) > _PREFETCH // 2 or (worker.held and chance.random() < 0.5):
            worker.acknowledge()
    for worker in workers:
        if worker.held:
            worker.acknowledge()


def drain(broker: BrokerProcess, ledger: Ledger) -> None:
    """One consumer gets everything that is left, up to a message that was published last."""
    ledger.begin_life()
    with broker.client() as client:
        client.publish_confirmed(_QUEUE, headers={"number": _LAST})
    with StompClient(broker.address) as client:
        worker = Worker(client, ledger)
        while not worker.has_last:
            worker.read()
            while worker.held:
                worker.acknowledge(asks=False)


@pytest.mark.parametrize(
    ("kinds", "settings"),
    [(3, {}), (2, {"limits.queue_look_ahead_bytes_max": "64 KiB"})],
    ids=["some that nobody selects", "with room for few"],
)
@pytest.mark.parametrize("lives", [2, pytest.param(6, marks=pytest.mark.long)])
def test_groups_go_on_in_their_order_behind_each_kill_and_nothing_comes_again_or_is_lost(
    broker_factory: BrokerFactory, kinds: int, settings: dict[str, Any], lives: int
) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    broker = broker_factory(settings=BUSY_STORE | settings)
    ledger = Ledger()
    fill(broker, kinds)
    for _ in range(lives):
        live_and_die(broker, ledger, chance)
        broker.start()
    drain(broker, ledger)
    assert ledger.sent == set(range(_COUNT))
    broker.assert_no_traceback()
