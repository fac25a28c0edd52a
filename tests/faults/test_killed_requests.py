"""Messages by requests (the IronMQ gateway): clients drop their connections at any moment, and the broker is killed.

Some messages are delayed, put off or become dead letters on their way. Nothing that was confirmed is lost, nothing
whose deletion was confirmed comes again, ids stay, and what one client has reserved no other one gets.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, TypeAlias

import pytest

from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.http_client import HttpClient
from tests.helpers.iron_client import IronClient

__all__: list[str] = []

_QUEUE = "queues/orders"
_DEAD_LETTERS = {"queue_name": "dead", "max_reservations": 4}
_CLIENTS = 3
_STEPS_A_LIFE = 200
_DROPPED = 0.1
"""Of all requests: the client is gone before the answer."""
_LEASE_SECONDS = 3600
_LAST_WAIT_SECONDS = 5

_Request: TypeAlias = tuple[str, str, dict[str, Any]]
_Heard: TypeAlias = Callable[[dict[str, Any]], None]


class Ledger:
    """What the clients have asked for, and what they were told of it. A message is known by its body, a number.

    Attributes:
        ids: of all that were confirmed, or have been seen.
        confirmed: bodies whose posting was confirmed.
        asked: bodies whose deletion was asked for.
        deleted: bodies whose deletion was confirmed.
        reserved: bodies by who has them, each with its reservation; in this life of the broker.
    """

    def __init__(self) -> None:
        self.posted = 0
        self.ids: dict[str, str] = {}
        self.confirmed: set[str] = set()
        self.asked: set[str] = set()
        self.deleted: set[str] = set()
        self.reserved: dict[str, str] = {}

    def see(self, message: dict[str, Any]) -> None:
        """A message was handed out."""
        body = message["body"]
        assert int(body) < self.posted
        assert body not in self.deleted, f"message {body} comes again, though its deletion was confirmed"
        assert body not in self.reserved, f"message {body} is out twice"
        assert self.ids.setdefault(body, message["id"]) == message["id"]

    def end(self, drained: list[dict[str, Any]]) -> None:
        """This was everything that was left."""
        self.reserved.clear()
        for message in drained:
            self.see(message)
        bodies = [message["body"] for message in drained]
        assert len(set(bodies)) == len(bodies)
        assert self.confirmed - self.asked <= set(bodies)


class Asking:
    """One client: it asks for one thing after the other, by connections that it may leave at any moment."""

    def __init__(self, broker: BrokerProcess, ledger: Ledger, chance: random.Random) -> None:
        self._broker = broker
        self._ledger = ledger
        self._chance = chance
        self._client: IronClient | None = None
        self._heard: _Heard = lambda _: None
        self._method = ""

    def step(self) -> None:
        """Ask for something, and hear what comes of it, or leave."""
        client = self.ask()
        if self._chance.random() < _DROPPED:
            self.leave()
        else:
            answer = client.client.answer(self._method)
            assert answer.status in (200, 201), answer
            self._heard(json.loads(answer.body))

    def ask(self) -> IronClient:
        """Ask for something, without waiting for the answer."""
        if self._client is None:
            # Not one of the broker's own: what it has said last is read when it is dead.
            self._client = IronClient(HttpClient(socket.create_connection(self._broker.http_address, timeout=60)))
        (self._method, path, members), self._heard = self._something()
        self._client.send(self._method, _QUEUE + path, members)
        return self._client

    def hear_the_last(self) -> None:
        """The broker was killed: what it has confirmed before is confirmed."""
        assert self._client is not None
        try:
            answer = self._client.client.answer(self._method)
        except (HTTPException, OSError):
            return
        self._heard(json.loads(answer.body))

    def leave(self) -> None:
        if self._client is not None:
            self._client.client.close()
            self._client = None

    def _something(self) -> tuple[_Request, _Heard]:
        kinds = [self._post, self._post, self._reserve]
        if self._ledger.reserved:
            kinds += [self._delete, self._delete_several, self._touch, self._release]
        return self._chance.choice(kinds)()

    def _post(self) -> tuple[_Request, _Heard]:
        first = self._ledger.posted
        bodies = [str(first + number) for number in range(self._chance.randint(1, 4))]
        self._ledger.posted += len(bodies)

        def heard(answer: dict[str, Any]) -> None:
            self._ledger.confirmed.update(bodies)
            self._ledger.ids.update(zip(bodies, answer["ids"], strict=True))

        delay = self._chance.choice([0, 0, 0, 1])
        return ("POST", "/messages", {"messages": [{"body": body, "delay": delay} for body in bodies]}), heard

    def _reserve(self) -> tuple[_Request, _Heard]:
        def heard(answer: dict[str, Any]) -> None:
            for message in answer["messages"]:
                self._ledger.see(message)
                self._ledger.reserved[message["body"]] = message["reservation_id"]

        return ("POST", "/reservations", {"n": self._chance.randint(1, 3), "timeout": _LEASE_SECONDS}), heard

    def _delete(self) -> tuple[_Request, _Heard]:
        body, reservation_id = self._take()
        self._ledger.asked.add(body)
        request = ("DELETE", f"/messages/{self._ledger.ids[body]}", {"reservation_id": reservation_id})
        return request, lambda _: self._ledger.deleted.add(body)

    def _delete_several(self) -> tuple[_Request, _Heard]:
        taken = dict(self._take() for _ in range(min(3, len(self._ledger.reserved))))
        self._ledger.asked.update(taken)
        ids = [{"id": self._ledger.ids[body], "reservation_id": held} for body, held in taken.items()]
        return ("DELETE", "/messages", {"ids": ids}), lambda _: self._ledger.deleted.update(taken)

    def _touch(self) -> tuple[_Request, _Heard]:
        body, reservation_id = self._take()

        def heard(answer: dict[str, Any]) -> None:
            self._ledger.reserved[body] = answer["reservation_id"]

        members = {"reservation_id": reservation_id, "timeout": _LEASE_SECONDS}
        return ("POST", f"/messages/{self._ledger.ids[body]}/touch", members), heard

    def _release(self) -> tuple[_Request, _Heard]:
        body, reservation_id = self._take()
        members = {"reservation_id": reservation_id, "delay": self._chance.choice([0, 0, 1])}
        return ("POST", f"/messages/{self._ledger.ids[body]}/release", members), lambda _: None

    def _take(self) -> tuple[str, str]:
        """A message that is reserved; nobody else will do anything with it."""
        body = self._chance.choice(list(self._ledger.reserved))
        return body, self._ledger.reserved.pop(body)


def live_and_die(broker: BrokerProcess, ledger: Ledger, chance: random.Random) -> None:
    """Ask for this and that, and kill the broker with a request of each client under way."""
    ledger.reserved.clear()
    clients = [Asking(broker, ledger, chance) for _ in range(_CLIENTS)]
    for _ in range(_STEPS_A_LIFE):
        chance.choice(clients).step()
    for client in clients:
        client.ask()
    broker.kill()
    for client in clients:
        client.hear_the_last()
        client.leave()


def drain(broker: BrokerProcess) -> list[dict[str, Any]]:
    """Everything that is left, what is delayed or dead too."""
    iron = IronClient(broker.http_client())
    drained: list[dict[str, Any]] = []
    for queue in ("orders", "dead"):
        while iron.size(queue):
            drained += iron.reserve(queue, 100, delete=True, wait=_LAST_WAIT_SECONDS)
    return drained


@pytest.mark.parametrize("lives", [2, pytest.param(20, marks=pytest.mark.long)])
def test_what_was_confirmed_holds_whenever_clients_leave_and_the_broker_is_killed(
    broker_factory: BrokerFactory, lives: int
) -> None:
    """Faults 1, 35 to 38."""
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    broker, ledger = broker_factory(), Ledger()
    iron = IronClient(broker.http_client())
    iron.said("PUT", "queues/dead")
    iron.said("PUT", _QUEUE, {"queue": {"dead_letter": _DEAD_LETTERS}})
    for _ in range(lives):
        live_and_die(broker, ledger, chance)
        broker.start()
    assert ledger.deleted
    ledger.end(drain(broker))
