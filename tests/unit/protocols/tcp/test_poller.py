"""Tests of segue.protocols.tcp.poller."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import cast

import pytest
import trio
import trio.testing

from segue.protocols.tcp.connection import TcpConnection
from segue.protocols.tcp.poller import Poller
from tests.unit.broker.actors import World


class Turns(trio.abc.Instrument):
    """Counts how often trio asks the kernel, and so gives every task its turn."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


class Chatter:
    """Stands for a connection: its peer answers everything at once, so many times."""

    def __init__(self, answers: int) -> None:
        self.ours, self.peer = socket.socketpair()
        self.answers = answers
        self.handled = 0
        self.done = trio.Event()

    def ready(self, mask: int) -> int:
        self.handled += 1
        octets = len(self.ours.recv(1))
        if self.answers:
            self.answers -= 1
            self.peer.send(b"x")
        else:
            self.done.set()
        return octets

    def close(self) -> None:
        self.ours.close()
        self.peer.close()


@pytest.fixture
def poller() -> Iterator[Poller]:
    made = Poller(World().node)
    yield made
    made.close()


def connect(poller: Poller, chatter: Chatter) -> None:
    poller.register(chatter.ours.fileno(), cast(TcpConnection, chatter))


async def test_a_peer_that_answers_at_once_is_handled_without_the_scheduler(poller: Poller) -> None:
    chatter, turns = Chatter(answers=20), Turns()
    connect(poller, chatter)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.serve)
        await trio.testing.wait_all_tasks_blocked()
        trio.lowlevel.add_instrument(turns)
        chatter.peer.send(b"x")
        await chatter.done.wait()
        trio.lowlevel.remove_instrument(turns)
        nursery.cancel_scope.cancel()
    assert chatter.handled == 21
    assert turns.count < 21
    chatter.close()


async def test_a_peer_that_always_has_more_takes_nobody_his_turn(poller: Poller) -> None:
    chatter = Chatter(answers=1_000_000)
    connect(poller, chatter)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.serve)
        chatter.peer.send(b"x")
        handled: list[int] = []
        while len(handled) < 50:
            await trio.lowlevel.checkpoint()
            handled.append(chatter.handled)
        nursery.cancel_scope.cancel()
    assert handled[-1] > handled[0], "it was served, too"
    chatter.close()


async def test_where_looking_again_finds_nothing_it_is_given_up_for_a_while(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []
    look_again = poller._look_again

    async def counted() -> None:
        looks.append(None)
        await look_again()

    monkeypatch.setattr(poller, "_look_again", counted)
    chatter = Chatter(answers=0)
    connect(poller, chatter)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.serve)
        for _ in range(60):
            chatter.done = trio.Event()
            chatter.peer.send(b"x")
            await chatter.done.wait()
        nursery.cancel_scope.cancel()
    assert len(looks) == 1
    chatter.close()
