"""Listeners: what `accept` may refuse them, whom they refuse, and what a stop or a crash leaves (FAULTS 15, 50)."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

import pytest
import trio
import trio.testing

from segue.broker.errors import BrokerError
from segue.broker.settings import ListenAddress
from segue.protocols.tcp import Listener, TcpConnection
from segue.protocols.tcp.poller import Poller
from tests.unit.broker.actors import World
from tests.unit.protocols.tcp.actors import Talk


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
        client = socket.create_connection(self.socket.getsockname())
        # To the client it is there a moment before `accept` finds it.
        assert select.select([self.socket], [], [], 30.0)[0]
        return client


class Accepting:
    """A listener that accepts from sockets of the test."""

    def __init__(self) -> None:
        self.world = World()
        self.arrived = trio.Event()
        self.listener = Listener(self.world.node, "test", (), self._make, lambda failure: b"")

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


# A listener that runs -----------------------------------------------------------------------------------------------


class Room:
    """A listener that runs, and the conversations of its connections."""

    def __init__(self, **limits: Any) -> None:
        self.world = World(**limits)
        self.talks: list[Talk] = []
        self.listener = Listener(self.world.node, "test", (ListenAddress("127.0.0.1", 0),), self._make, self._refusal)
        self.address = ("", 0)

    def _make(self, connection: TcpConnection) -> Talk:
        talk = Talk()
        talk.write = partial(self.world.node.wrote, connection)
        self.talks.append(talk)
        return talk

    def _refusal(self, failure: BrokerError) -> bytes:
        return f"{failure.code}: {failure}".encode()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            (name,) = cast("list[str]", await nursery.start(partial(self.listener.serve, drain_seconds=30.0)))
            host, _, port = name.rpartition(":")
            self.address = (host, int(port))
            task_status.started()

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(*self.address)


@contextmanager
def patience() -> Iterator[None]:
    with trio.fail_after(30):
        yield


async def test_a_stop_is_said_and_waited_for(nursery: trio.Nursery) -> None:
    room = Room()
    await nursery.start(room.serve)
    stream = await room.connect()
    await stream.send_all(b"x")
    with patience():
        while not room.talks or not room.talks[0].received:
            await trio.lowlevel.checkpoint()
    room.world.node.stopping = True
    nursery.cancel_scope.cancel()
    with trio.CancelScope(shield=True), patience():
        assert await stream.receive_some() == b"bye"
        await stream.aclose()


async def test_a_crash_of_the_store_is_not_waited_for() -> None:
    """FAULTS 15: nothing becomes durable any more, so nothing that is owed can ever be said."""
    room = Room()
    with patience():
        async with trio.open_nursery() as nursery:
            await nursery.start(room.serve)
            stream = await room.connect()
            await stream.send_all(b"x")
            while not room.talks or not room.talks[0].received:
                await trio.lowlevel.checkpoint()
            room.talks[0].is_quiet = False
            nursery.cancel_scope.cancel()
        assert len(room.talks[0].closed_because) == 1
        await stream.aclose()


async def test_a_goodbye_that_fails_stops_neither_the_others_nor_the_stop() -> None:
    room = Room()
    with patience():
        async with trio.open_nursery() as nursery:
            await nursery.start(room.serve)
            streams = [await room.connect() for _ in range(3)]
            for stream in streams:
                await stream.send_all(b"x")
            while len([talk for talk in room.talks if talk.received]) < 3:
                await trio.lowlevel.checkpoint()

            def fail(reason: str) -> None:
                raise ValueError("a fault of ours")

            for talk in room.talks:
                talk.closed_by_node = fail  # type: ignore[method-assign]
            room.world.node.stopping = True
            nursery.cancel_scope.cancel()
        assert all(len(talk.closed_because) == 1 for talk in room.talks)
        for stream in streams:
            await stream.aclose()


async def test_the_connection_over_the_limit_is_refused_with_the_reason(nursery: trio.Nursery) -> None:
    """FAULTS 50."""
    room = Room(connections_max=1)
    await nursery.start(room.serve)
    with patience():
        first = await room.connect()
        second = await room.connect()
        assert await second.receive_some() == b"limit-reached: limits.connections_max (1) is reached"
        await second.aclose()
        await first.aclose()
    (line,) = room.world.log.named("connection.refused")
    assert line.fields["code"] == "limit-reached"
    nursery.cancel_scope.cancel()


async def test_who_comes_when_a_stop_has_begun_is_told_of_the_stop(nursery: trio.Nursery) -> None:
    """FAULTS 106: between the signal and the end of the listeners; it once heard of a limit, which does not pass."""
    room = Room(connections_max=1)
    await nursery.start(room.serve)
    with patience():
        first = await room.connect()
        room.world.node.stopping = True
        late = await room.connect()
        assert await late.receive_some() == b"shutting-down: the broker is shutting down"
        await late.aclose()
        await first.aclose()
    assert room.world.log.named("connection.refused") == []
    nursery.cancel_scope.cancel()


class PoorPoller(Poller):
    """Epoll has no room for one connection."""

    def __init__(self, room: Room) -> None:
        super().__init__(room.world.node)
        self.is_full = True

    def register(self, descriptor: int, connection: TcpConnection) -> None:
        if self.is_full:
            self.is_full = False
            raise OSError(errno.ENOSPC, "No space left on device")
        super().register(descriptor, connection)


async def test_a_connection_that_can_not_be_watched_costs_that_connection(nursery: trio.Nursery) -> None:
    """FAULTS 50."""
    room = Room()
    room.listener.poller.close()
    room.listener.poller = PoorPoller(room)
    await nursery.start(room.serve)
    with patience():
        unlucky = await room.connect()
        assert await unlucky.receive_some() == b""
        lucky = await room.connect()
        await lucky.send_all(b"hello")
        while not room.talks[-1].received:
            await trio.lowlevel.checkpoint()
        assert len(room.listener.connections) == 1
        await unlucky.aclose()
        await lucky.aclose()
    assert len(room.world.log.named("connection.not_accepted")) == 1
    nursery.cancel_scope.cancel()
