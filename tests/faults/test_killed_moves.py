"""Fault 9, for moves: `kill -9` while jobs move messages between queues, and each message is in one of them."""

from __future__ import annotations

import pytest

from segue.broker.cli.control_client import ControlClient
from tests.faults.campaign import BUSY_STORE
from tests.helpers.broker_process import BrokerFactory, BrokerProcess

__all__: list[str] = []

_COUNT = 3000


def control(broker: BrokerProcess) -> ControlClient:
    return ControlClient(broker.data / "control.sock", broker.data, 60.0)


def fill(broker: BrokerProcess, queue: str) -> None:
    """Messages 0, 1, 2 and so on, each with its remainder by three in a header; all of them confirmed."""
    with broker.client() as client:
        for number in range(_COUNT):
            client.publish(f"/queue/{queue}", b"%d" % number, headers={"third": str(number % 3)})
        client.publish_confirmed("/queue/filled", b"")


def bodies(client: ControlClient, queue: str) -> list[int]:
    """What is in a queue, in its order."""
    return [int(message["body"]) for message in client.list("queue.browse", {"queue": queue})]


def kill_in_a_move(broker: BrokerProcess, source: str, to: str, only: str, after: int) -> None:
    """Begin to move, and kill the broker when so many messages have gone, or all."""
    with control(broker) as client:
        wanted = {"queue": source, "to": to, "filter": only, "rate": 20_000}
        job = client.ask("queue.move", wanted)
        while job["passed_on"] < after and job["state"] == "running":
            job = client.ask("job.show", {"job": job["job"]})
    broker.kill()
    broker.start()


@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.long)])
def test_a_message_that_is_moved_when_the_broker_is_killed_is_in_one_queue(
    broker_factory: BrokerFactory, rounds: int
) -> None:
    broker = broker_factory(settings=BUSY_STORE)
    fill(broker, "a")
    for number in range(rounds):
        source, to = ("a", "b") if number % 2 == 0 else ("b", "a")
        only = ("third = 1", "third <> 0", "")[number % 3]
        kill_in_a_move(broker, source, to, only, after=1 + 97 * number % 400)
        with control(broker) as client:
            here, there = bodies(client, source), bodies(client, to)
        assert sorted(here + there) == list(range(_COUNT))
        if number == 0:
            assert here == sorted(here)
            assert there == sorted(there) != []
            assert {body % 3 for body in there} == {1}
