"""A queue that was used for long, in every way and through kills, leaves nothing behind when it is empty.

DESIGN 3.4, in the end: no gap, no hole, no extent, no segment, and no more to replay than an empty store has.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from segue.broker.cli.control_client import ControlClient
from segue.storage.tools.show import show_store
from tests.faults.campaign import BUSY_STORE
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.stomp_client import StompClient

__all__: list[str] = []

_ACK = re.compile(rb"\nack:([^\n]*)\n")
_BLOCK = 1000
_BODY = bytes(256)
_CATALOG_BYTES_MAX = 4 << 20
_PATIENCE_SECONDS = 120.0
# Most ways to leave a queue leave some messages where they are: so each round ends with more than it began with, until
# the queue is purged.
_WAYS = ("take", "take", "move", "move", "cut a move", "purge")


class Usage:
    """A queue `used`, from which messages go to a queue `other` too, and all that is done to it."""

    def __init__(self, broker: BrokerProcess, chance: random.Random, options: dict[str, str]) -> None:
        self._broker = broker
        self._chance = chance
        with broker.client() as client:
            client.subscribe("/queue/used", headers=options)

    # -- what happens to it

    def publish(self, count: int) -> None:
        """Messages of two halves and all priorities, some of which soon expire, behind some that do not."""
        with self._broker.client() as client:
            for first in range(0, count, _BLOCK):
                frames = [self._frame() for _ in range(min(_BLOCK, count - first))]
                client.send_bytes(b"".join(frames))
                client.publish_confirmed("/queue/other", b"")

    def _frame(self) -> bytes:
        chance = self._chance
        head = f"SEND\ndestination:/queue/used\nhalf:{chance.randrange(2)}\npriority:{chance.randrange(10)}\n"
        if chance.random() < 0.4:
            head += f"expiration:{chance.choice((1, 300, 3000))}\n"
        return f"{head}content-length:{len(_BODY)}\n\n".encode() + _BODY + b"\0"

    def take(self, count: int) -> None:
        """A consumer acknowledges and returns what it gets in no order, and goes with some of it in its hands."""
        with self._broker.client() as client:
            client.subscribe("/queue/used", headers={"prefetch-count": "2000"})
            taken = 0
            while taken < count and (identities := _received(client, 0.5)):
                taken += len(identities)
                self._chance.shuffle(identities)
                client.send_bytes(b"".join(self._answer(identity) for identity in identities))

    def _answer(self, identity: bytes) -> bytes:
        draw = self._chance.random()
        if draw < 0.8:
            return b"ACK\nid:" + identity + b"\n\n\0"
        if draw < 0.9:
            return b"NACK\nid:" + identity + b"\ndelay:%d\n\n\0" % self._chance.choice((0, 1, 1500))
        return b""

    def move(self, *, cut: bool = False) -> None:
        """A job takes out a half, or begins to."""
        half = self._chance.randrange(2)
        with self._control() as control:
            job = control.ask("queue.move", {"queue": "used", "to": "other", "filter": f"half = '{half}'"})
            while job["state"] == "running" and not (cut and job["passed_on"]):
                job = control.ask("job.show", {"job": job["job"]})

    def purge(self) -> None:
        with self._control() as control:
            control.ask("queue.purge", {"queue": "used"})

    def restart(self) -> None:
        if self._chance.random() < 0.75:
            self._broker.kill()
        else:
            assert self._broker.stop() == 0
        self._broker.start()

    def round(self, count: int) -> None:
        """Messages come, are used in some of the ways, and the broker ends in the middle of it."""
        self.publish(count)
        for way in self._chance.sample(_WAYS, 3):
            if way == "take":
                self.take(self._chance.randrange(count))
            elif way == "purge":
                self.purge()
            else:
                self.move(cut=way == "cut a move")
        self.restart()

    # -- the end

    def drain(self) -> None:
        """Consumers take all that there is, and all that comes back later."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._owed():
            assert time.monotonic() < deadline, f"{self._owed()} are left of what nobody gets"
            for queue in ("used", "other"):
                with self._broker.client() as client:
                    client.subscribe(f"/queue/{queue}", headers={"prefetch-count": "2000"})
                    while identities := _received(client, 0.5):
                        deadline = time.monotonic() + _PATIENCE_SECONDS
                        client.send_bytes(b"".join(b"ACK\nid:" + identity + b"\n\n\0" for identity in identities))

    def _owed(self) -> int:
        with self._control() as control:
            rows = list(control.list("queue.list", {}))
            return sum(int(row[name]) for row in rows for name in ("ready", "returned", "in_flight", "delayed"))

    def memory(self) -> dict[str, int]:
        """What the daemon says of it."""
        with self._control() as control:
            memory: dict[str, int] = control.ask("status")["memory"]
            return memory

    def _control(self) -> ControlClient:
        return ControlClient(self._broker.data / "control.sock", self._broker.data, _PATIENCE_SECONDS)


def _received(client: StompClient, patience_seconds: float) -> list[bytes]:
    """The ids of the messages that one read brings, and the whole of the last; none when nothing comes."""
    client.socket.settimeout(patience_seconds)
    try:
        data = client.socket.recv(1 << 20)
        client.socket.settimeout(_PATIENCE_SECONDS)
        while not data.endswith(b"\0"):
            data += client.socket.recv(1 << 16)
    except TimeoutError:
        return []
    return _ACK.findall(data)


def left_behind(store: dict[str, Any]) -> Iterator[str]:
    """What a store has of logs from which everything was taken, and should not have."""
    for log in store["logs"]:
        cursors = log["cursors"]
        found = {name: sum(cursor[name] for cursor in cursors) for name in ("holes", "quarantined", "settled_ahead")}
        found |= {"owed": log["owed"], "segments": len(log["segments"]), "loose": log["loose"]["blocks"]}
        found["unread"] = sum(log["head"] - cursor["next"] for cursor in cursors)
        yield from (f"{log['kind']} {log['name']}: {number} {what}" for what, number in found.items() if number)
        if log["kind"] not in ("queue", "level", "schedule"):
            yield f"a log of kind {log['kind']}"


@pytest.mark.parametrize(
    ("options", "rounds", "count"),
    [
        ({}, 3, 2000),
        pytest.param({}, 20, 50_000, marks=pytest.mark.long),
        pytest.param({"x-max-priority": "9"}, 10, 5000, marks=pytest.mark.long),
    ],
)
def test_a_queue_that_was_used_for_long_is_as_a_fresh_one_when_it_is_empty(
    broker_factory: BrokerFactory, options: dict[str, str], rounds: int, count: int
) -> None:
    broker = broker_factory(settings=BUSY_STORE)
    usage = Usage(broker, random.Random(rounds), options)
    for _ in range(rounds):
        usage.round(count)
    usage.drain()
    assert usage.memory()["messages_bytes"] == 0
    assert broker.stop() == 0
    store = show_store(broker.data)
    assert list(left_behind(store)) == []
    assert store["catalog"]["findings"] == []
    assert store["journal"]["batches"] == 0, "there is nothing to replay"
    assert [path for path in broker.data.glob("segments/**/*") if path.is_file()] == []
    assert (broker.data / "catalog.db").stat().st_size < _CATALOG_BYTES_MAX
    broker.start()
    assert usage.memory()["messages_bytes"] == 0
