"""What `accept` may refuse a listener, which then goes on (FAULTS 50)."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
import trio
import trio.testing

from segue.protocols.tcp import Listener, TcpConnection
from tests.unit.broker.actors import World
from tests.unit.protocols.test_tcp import Talk


class FaultySocket:
    """A listening socket whose `accept` fails as it is told to, and works otherwise."""

    def __init__(self, *faults: int) -> None:
        self.faults = list(faults)
        self.accepts = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)

    def fileno(self) -> int:
        return self.socket.fileno()

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        self.accepts += 1
        if self.faults:
            number = self.faults.pop(0)
            raise OSError(number, os.strerror(number))
        return self.socket.accept()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.socket.getsockname())


class Accepting:
    """A listener that accepts from sockets of the test."""

    def __init__(self) -> None:
        self.world = World()
        self.arrived = trio.Event()
        self.listener = Listener(self.world.node, "test", (), self._make, lambda reason: b"")

    def _make(self, connection: TcpConnection) -> Talk:
        self.arrived.set()
        return Talk()

    @asynccontextmanager
    async def accepting_from(self, *sockets: FaultySocket) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            for sock in sockets:
                nursery.start_soon(self.listener._accept, sock)  # type: ignore[arg-type]
            with trio.fail_after(30):
                yield
            nursery.cancel_scope.cancel()

    def reasons(self) -> list[object]:
        return [event.fields["reason"] for event in self.world.log.named("connection.not_accepted")]

    def close(self) -> None:
        for connection in list(self.listener.connections):
            connection.abandon("the test is over")
        self.listener.poller.close()


@pytest.fixture
def accepting() -> Iterator[Accepting]:
    made = Accepting()
    yield made
    made.close()


@contextmanager
def closing(*sockets: FaultySocket) -> Iterator[list[socket.socket]]:
    """A client of each of these, which waits to be accepted."""
    clients = [sock.connect() for sock in sockets]
    yield clients
    for each in (*clients, *(sock.socket for sock in sockets)):
        each.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_who_comes_while_the_system_has_nothing_left_is_accepted_later(accepting: Accepting, number: int) -> None:
    """FAULTS 50."""
    sock = FaultySocket(number, number)
    with closing(sock):
        async with accepting.accepting_from(sock):
            await accepting.arrived.wait()
    assert accepting.reasons() == [os.strerror(number)] * 2
    assert len(accepting.listener.connections) == 1


async def test_a_listener_without_descriptors_lets_everybody_else_go_on(
    accepting: Accepting, autojump_clock: trio.testing.MockClock
) -> None:
    """The kernel says for ever that somebody waits: without a pause nobody else had his turn."""
    poor = FaultySocket(*[errno.EMFILE] * 1000)
    with closing(poor):
        async with accepting.accepting_from(poor):
            await trio.sleep(10)
    assert 50 < poor.accepts < 200
    assert len(accepting.listener.connections) == 0


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.EHOSTUNREACH, errno.ENETDOWN])
async def test_a_peer_that_is_gone_before_it_is_accepted_delays_nobody(accepting: Accepting, number: int) -> None:
    """Each of them once kept all others waiting for a tenth of a second."""
    sock = FaultySocket(*[number] * 50)
    with closing(sock):
        async with accepting.accepting_from(sock):
            while not accepting.arrived.is_set():
                await trio.testing.wait_all_tasks_blocked()
                assert accepting.arrived.is_set(), "a turn is over, and who waits is still waiting"
    assert accepting.reasons() == []
    assert sock.accepts >= 51


async def test_a_fault_of_one_listener_is_none_of_another(accepting: Accepting) -> None:
    faulty, sound = FaultySocket(*[errno.EMFILE] * 100_000), FaultySocket()
    with closing(faulty, sound):
        async with accepting.accepting_from(faulty, sound):
            await accepting.arrived.wait()
    assert faulty.faults
    assert len(accepting.listener.connections) == 1
