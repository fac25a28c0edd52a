"""Publishers that send again what was not confirmed: each message is stored once, whenever the broker is killed.

Fault 33: a real daemon, `kill -9` while receipts are on their way, and a publisher that repeats more than it has to.
"""

from __future__ import annotations

import random

import pytest

from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.helpers.stomp_frames import Frame

__all__: list[str] = []

_QUEUE = "/queue/payments"
_ROUNDS = 4
_A_ROUND = 40
_ONCE_MORE = 15


class Publisher:
    """Sends messages 0, 1, 2 … and keeps what it was told of each.

    Attributes:
        ids: the `message-id` of each one that was confirmed, in order; None where a repeat was not told it.
    """

    def __init__(self, broker: BrokerProcess, identity: str) -> None:
        self.ids: list[str | None] = []
        self._broker = broker
        self._identity = identity

    def send(self, until: int, receipts: int) -> None:
        """Send what is not confirmed, and some that is, and read so many receipts."""
        first = max(0, len(self.ids) - _ONCE_MORE)
        client = self._broker.client()
        for number in range(first, until):
            client.publish(_QUEUE, b"%d" % number, receipt=f"{number}", headers=self._headers(number))
        for number in range(first, min(until, first + receipts)):
            self._confirmed(number, client.expect_receipt(f"{number}"))
        client.reset()

    def _headers(self, number: int) -> dict[str, str]:
        if self._identity == "sequence-id":
            return {"producer-name": "p", "sequence-id": f"{number + 1}"}
        return {"dedup-id": f"payment {number}", "x-deduplication-ids-max": "1000000"}

    def _confirmed(self, number: int, receipt: Frame) -> None:
        """What was confirmed before is told again with its id, as far as it is known."""
        if number == len(self.ids):
            self.ids.append(receipt.get("message-id"))
            return
        assert receipt["duplicate"] == "true"
        assert receipt.get("message-id") in (None, self.ids[number]) or self.ids[number] is None
        assert self._identity == "sequence-id" or "message-id" in receipt


def expect_each_once(client: StompClient, publisher: Publisher) -> None:
    client.subscribe(_QUEUE, ack="auto")
    messages = client.expect_messages(*(b"%d" % number for number in range(len(publisher.ids))))
    for message, told in zip(messages, publisher.ids, strict=True):
        assert told in (None, message["message-id"])
    assert len({message["message-id"] for message in messages}) == len(messages)
    client.expect_no_message()


@pytest.mark.parametrize("identity", ["dedup-id", "sequence-id"])
def test_each_message_is_stored_once_whenever_the_broker_is_killed(
    broker_factory: BrokerFactory, identity: str
) -> None:
    broker = broker_factory()
    broker.arguments += ["--stomp", "{}:{}".format(*broker.address)]
    publisher = Publisher(broker, identity)
    rng = random.Random(identity)
    for number in range(1, _ROUNDS + 1):
        publisher.send(until=number * _A_ROUND, receipts=rng.randrange(_A_ROUND + _ONCE_MORE))
        if number % 3:  # or the publisher alone is cut off
            broker.kill()
            broker.start()
    publisher.send(until=_ROUNDS * _A_ROUND, receipts=_ROUNDS * _A_ROUND)
    expect_each_once(broker.client(), publisher)


def test_a_transaction_is_repeated_as_a_whole_until_it_is_confirmed(broker_factory: BrokerFactory) -> None:
    """Half of what it sends is of an earlier one; the broker is killed when COMMIT is on its way."""
    broker = broker_factory()
    broker.arguments += ["--stomp", "{}:{}".format(*broker.address)]
    for first in range(0, 30, 10):
        for is_killed in (True, False):
            client = broker.client()
            client.begin("t")
            for number in range(max(0, first - 10), first + 10):
                client.publish(_QUEUE, b"%d" % number, transaction="t", headers={"dedup-id": f"{number}"})
            client.commit("t", wait=not is_killed)
            if is_killed:
                broker.kill()
                broker.start()
    client = broker.client()
    client.subscribe(_QUEUE, ack="auto")
    client.expect_messages(*(b"%d" % number for number in range(30)))
    client.expect_no_message()
