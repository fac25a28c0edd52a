"""Clients that say anything that can be said, in any order: seeded, against the session and the broker's model.

Three connections at a time share a few queues, topics and a temporary queue. Most frames fit what their client has
open, or every connection would be over after two of them; some don't. What must hold in the end has nothing to do with
what was said: every message is ready, settled or gone with its queue, and nothing of a connection is left behind.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from tests.helpers.stomp_frames import Frame, encode_frame
from tests.unit.protocols.stomp.actors import Client, StompWorld

_DESTINATIONS = ("/queue/a", "/queue/b", "/queue/c", "/topic/a.b", "/topic/a.c", "/temp-queue/x", "a")
_COMMANDS = ("SEND",) * 6 + ("ACK",) * 4 + ("SUBSCRIBE",) * 3 + ("UNSUBSCRIBE", "NACK", "BEGIN", "COMMIT", "ABORT")
_OPTIONS: Mapping[str, Mapping[str, tuple[float, tuple[str, ...]]]] = {
    "SEND": {
        "persistent": (0.1, ("false",)),
        "reply-to": (0.1, ("/temp-queue/x", "/queue/b")),
        "dedup-id": (0.1, ("1", "2", "3")),
        "auto-delete": (0.1, ("true",)),
        "exclusive": (0.05, ("true",)),
    },
    "SUBSCRIBE": {
        "ack": (0.8, ("auto", "client", "client-individual")),
        "prefetch-count": (0.5, ("1", "2", "0")),
        "browser": (0.05, ("true",)),
        "durable": (0.15, ("true", "false")),
        "auto-delete": (0.15, ("true", "false")),
        "exclusive": (0.02, ("true",)),
        "x-queue-name": (0.1, ("a", "bound")),
        "activemq.subscriptionName": (0.05, ("n", "m")),
        "no-local": (0.02, ("true",)),
        "consumer-window-size": (0.1, ("0", "1", "50")),
    },
    "NACK": {"requeue": (0.2, ("false",))},
    "UNSUBSCRIBE": {"durable": (0.05, ("true",)), "activemq.subscriptionName": (0.02, ("n",))},
}


class Talker:
    """A client that remembers what it has open, and so mostly says what it may."""

    def __init__(self, world: StompWorld, source: random.Random) -> None:
        self._source = source
        self._subscriptions: set[str] = set()
        self._transactions: set[str] = set()
        self._seen: list[Frame] = []
        version = source.choice(["1.0", "1.1", "1.2", "1.2"])
        self.client = Client(world).connect(version, client_id=source.choice("pq"))

    def listen(self) -> None:
        self._seen += [frame for frame in self.client.frames() if frame.command == "MESSAGE"]

    def frame(self) -> bytes:
        command = self._possible(self._source.choice(_COMMANDS))
        headers = self._headers(command)
        for name, (chance, values) in _OPTIONS.get(command, {}).items():
            if self._source.random() < chance:
                headers[name] = self._source.choice(values)
        if self._source.random() < 0.3:
            headers["receipt"] = "r"
        body = b"body" if command == "SEND" else b""
        return encode_frame(command, headers.items(), body, version=self.client.reader.version)

    def _possible(self, command: str) -> str:
        impossible = {
            "SUBSCRIBE": len(self._subscriptions) == 4,
            "UNSUBSCRIBE": not self._subscriptions,
            "ACK": not self._seen,
            "NACK": not self._seen,
            "BEGIN": len(self._transactions) == 2,
            "COMMIT": not self._transactions,
            "ABORT": not self._transactions,
        }
        return "SEND" if impossible.get(command) and self._source.random() < 0.97 else command

    def _headers(self, command: str) -> dict[str, str]:
        match command:
            case "SEND":
                return {"destination": self._source.choice(_DESTINATIONS)} | self._in_transaction()
            case "SUBSCRIBE":
                destination = self._source.choice((*_DESTINATIONS, "/topic/a.*", "/topic/#"))
                return {"destination": destination, "id": self._open(self._subscriptions)}
            case "UNSUBSCRIBE":
                return {"id": self._end(self._subscriptions)}
            case "ACK" | "NACK":
                return self._message() | self._in_transaction()
            case "BEGIN":
                return {"transaction": self._open(self._transactions)}
        return {"transaction": self._end(self._transactions)}

    def _open(self, names: set[str]) -> str:
        name = self._source.choice([name for name in "12345" if name not in names] or ["1"])
        names.add(name)
        return name

    def _end(self, names: set[str]) -> str:
        name = self._source.choice(sorted(names) or ["none"])
        names.discard(name)
        return name

    def _in_transaction(self) -> dict[str, str]:
        if not self._transactions or self._source.random() < 0.5:
            return {}
        return {"transaction": self._source.choice(sorted(self._transactions))}

    def _message(self) -> dict[str, str]:
        """What names a message that has come; it and those before it are not named again, as a rule."""
        if not self._seen:
            return {"id": "1-1", "message-id": "1-1", "subscription": "1"}
        at = self._source.choice([0, 0, len(self._seen) - 1])
        message = self._seen[at]
        if self._source.random() < 0.99:
            subscription = message.get("subscription")
            self._seen = [one for one in self._seen[:at] if one.get("subscription") != subscription] + self._seen[
                at + 1 :
            ]
        names = {"id": "ack", "message-id": "message-id", "subscription": "subscription"}
        return {name: message[of] for name, of in names.items() if of in message}


def converse(seed: int) -> StompWorld:
    """Talk for a while, with publishers held now and then; then everybody is gone."""
    source = random.Random(seed)
    world = StompWorld(transaction_messages_max=20, temporary_queue_messages_max=6, topic_buffer_messages_max=10)
    talkers: list[Talker] = []
    for _ in range(120):
        while len(talkers) < 3:
            talkers.append(Talker(world, source))
        client = source.choice(talkers)
        frames = [client.frame() for _ in range(source.randint(1, 4))]
        (client.client.say if source.random() < 0.7 else client.client.say_now)(*frames)
        if source.random() < 0.05:
            world.store.played_journal.short_of_space = not world.store.played_journal.short_of_space
            world.settle_down()
        for talker in list(talkers):
            talker.listen()
            if talker.client.stomp.finished or source.random() < 0.01:
                talker.client.hang_up()
                talkers.remove(talker)
    world.store.played_journal.short_of_space = False
    for talker in talkers:
        talker.client.hang_up()
    world.settle_down()
    return world


def check(world: StompWorld) -> None:
    """Nothing of anybody is left, and every message is accounted for."""
    assert world.log.named("internal.error") == []
    assert (world.node.sessions, world.node.temporary) == ({}, {})
    pressure = world.node.pressure
    assert (pressure.output_bytes, pressure.aside_bytes, pressure.buffer_bytes) == (0, 0, 0)
    assert pressure.transaction_bytes == 0
    for queue in world.node.queues.values():
        found = queue.statistics()
        assert (found.in_flight, found.consumers, queue.owner, queue.exclusive) == (0, 0, 0, False)
        assert found.ready + found.settled == found.published
    for subscription in world.node.topics.durables():
        assert subscription.dispatcher.in_flight == 0
        assert subscription.cursor.out == []


@pytest.mark.parametrize("seed", range(40))
def test_whatever_clients_say_nothing_is_lost_and_nothing_is_left_of_them(seed: int) -> None:
    check(converse(seed))


@pytest.mark.long
@pytest.mark.parametrize("block", range(1, 6))
def test_whatever_many_clients_say_nothing_is_lost_and_nothing_is_left_of_them(block: int) -> None:
    for seed in range(block * 1000, (block + 1) * 1000):
        check(converse(seed))
