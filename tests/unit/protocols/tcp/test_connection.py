"""Connections over real socket pairs: reading, writing, stalls, the last words, and what a fault leaves."""

from __future__ import annotations

import math
import select
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import pytest

from segue.protocols.tcp import Listener, TcpConnection
from tests.unit.broker.actors import World
from tests.unit.protocols.tcp.actors import Talk

_LINGER_SECONDS = 5.0


class Pair:
    """A connection and its peer, without a task: the test polls, and looks at deadlines."""

    def __init__(self) -> None:
        self.world = World()
        self.talk = Talk()
        self.tasks: list[Callable[[], Awaitable[None]]] = []
        self.listener = Listener(self.world.node, "test", (), lambda connection: self.talk, lambda failure: b"")
        self.listener.start = self.tasks.append  # type: ignore[method-assign, assignment]
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.peer = socket.socket()
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # or the kernel makes it megabytes
            self.peer.connect(server.getsockname())
            sock, _ = server.accept()
        self.peer.settimeout(60)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        self.listener._take(sock, ("127.0.0.1", 1))
        (self.connection,) = self.listener.connections

    def poll(self) -> list[int]:
        """One round, as the poller makes it; the masks that were found."""
        found = self.listener.poller._epoll.poll(0.2)
        for _, mask in found:
            self.connection.ready(mask)
        self.world.node.end_step()
        return [mask for _, mask in found]

    def say(self, data: bytes) -> None:
        """The conversation has something to say at the end of this step."""
        self.talk.out += data
        self.world.node.wrote(self.connection)
        self.world.node.end_step()

    def look(self) -> float:
        """The deadline's task comes by; seconds until it wants to come again."""
        now = self.world.clock.monotonic()
        return self.connection.look_at_deadline(now) - now

    def fill(self) -> None:
        """The peer does not read, until the kernel takes no more."""
        self.say(b"x" * 1_000_000)
        assert self.talk.stuck > 0

    def close(self) -> None:
        self.connection.abandon("the test is over")
        self.peer.close()
        self.listener.poller.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def read_all(sock: socket.socket) -> bytes:
    """Everything up to the end of the stream."""
    parts = []
    while part := sock.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


# Reading and writing ------------------------------------------------------------------------------------------------


def test_what_the_peer_sends_is_received_and_what_is_said_is_sent(pair: Pair) -> None:
    pair.peer.sendall(b"hello")
    pair.poll()
    assert pair.talk.received == b"hello"
    pair.say(b"world")
    assert pair.peer.recv(100) == b"world"
    assert pair.talk.sent == 1
    assert pair.connection.stalled_since == math.inf


def test_nothing_is_read_from_a_connection_that_is_not_thirsty(pair: Pair) -> None:
    pair.talk.thirsty = False
    pair.peer.sendall(b"1")
    pair.poll()
    pair.peer.sendall(b"2")
    assert pair.poll() == []
    pair.connection.let_go()
    pair.poll()
    assert pair.talk.received == b"12"


def test_a_peer_may_be_silent_from_the_moment_on_that_it_is_read_again(pair: Pair) -> None:
    pair.talk.thirsty = False
    pair.peer.sendall(b"1")
    pair.poll()
    was_read = pair.connection.reading
    pair.world.clock.advance(100)
    pair.talk.moment = pair.world.clock.monotonic() + 2
    pair.talk.thirsty = True
    pair.connection.read_on()
    assert (was_read, pair.connection.reading) == (False, True)
    assert pair.connection.last_received == pair.world.clock.monotonic()
    assert pair.connection.deadline_at == pair.talk.moment


def test_reads_are_small_while_there_is_too_much_of_others_frames_that_are_not_whole(pair: Pair) -> None:
    receiving, other = pair.world.node.receiving, cast(TcpConnection, object())
    receiving.count(other, 0, pair.world.settings.memory.receiving_bytes_max + 1, completed=False)
    pair.peer.sendall(bytes(60_000))
    pair.poll()
    assert 0 < len(pair.talk.received) == receiving.read_bytes_max(pair.connection) < 60_000
    receiving.count(other, receiving.bytes, 0, completed=True)
    pair.poll()
    assert len(pair.talk.received) == 60_000


def test_a_frame_that_is_late_is_the_end_of_its_connection_unless_that_has_come_already(pair: Pair) -> None:
    pair.connection.frame_late()
    assert pair.talk.finished
    assert read_all(pair.peer) == b""
    pair.connection.abandon("gone")
    pair.connection.frame_late()
    pair.connection.read_on()


def test_what_the_kernel_does_not_take_goes_when_there_is_room_and_in_order(pair: Pair) -> None:
    pair.fill()
    assert pair.world.node.pressure.output_bytes == pair.talk.stuck
    pair.say(b"behind")
    assert pair.talk.sent == 0
    received = 0
    tail = b""
    while received < 1_000_006:
        data = pair.peer.recv(1 << 20)
        received += len(data)
        tail = (tail + data)[-6:]
        pair.poll()
    assert tail == b"behind"
    assert pair.talk.sent == 2
    assert pair.world.node.pressure.output_bytes == 0


# Deadlines ----------------------------------------------------------------------------------------------------------


def test_a_stalled_connection_says_since_when_and_one_that_moves_on_is_looked_at_anew(pair: Pair) -> None:
    began = pair.world.clock.monotonic()
    pair.fill()
    assert pair.connection.stalled_since == began
    pair.world.clock.advance(10)
    pair.talk.moment = pair.world.clock.monotonic() + 3
    while pair.talk.stuck:
        assert pair.peer.recv(1 << 20)
        pair.poll()
    assert pair.connection.stalled_since == math.inf
    assert pair.connection.deadline_at == pair.talk.moment  # heart-beats go on


def test_a_connection_that_stalls_is_abandoned_also_when_it_has_said_its_last_word(pair: Pair) -> None:
    """FAULTS 54: an ERROR behind a full socket must not keep it, and the loop, busy for ever."""
    pair.fill()
    pair.talk.finished = True
    pair.connection._look_after_input()
    pair.talk.verdict = "the peer does not read"
    assert pair.look() == math.inf
    assert pair.talk.closed_because == ["the peer does not read"]


def test_a_deadline_that_ends_in_a_last_word_lets_it_be_said(pair: Pair) -> None:
    def give_up(now: float) -> str:
        pair.talk.finished = True
        pair.talk.out = b"too late"
        pair.world.node.wrote(pair.connection)
        return "too late"

    pair.talk.deadline = give_up  # type: ignore[method-assign]
    pair.look()
    pair.world.node.end_step()
    assert read_all(pair.peer) == b"too late"


def test_nothing_is_said_behind_the_last_word(pair: Pair) -> None:
    """A heart-beat on a socket whose writing side is shut would be an error that cuts the last word off."""
    pair.talk.finished = True
    pair.connection._look_after_input()
    looks = pair.talk.looks
    pair.talk.moment = 0.0
    assert pair.look() == pytest.approx(_LINGER_SECONDS)
    assert pair.talk.looks == looks
    pair.world.clock.advance(_LINGER_SECONDS)
    assert pair.look() == math.inf
    assert len(pair.talk.closed_because) == 1


# The end ------------------------------------------------------------------------------------------------------------


def test_the_end_of_input_is_told_once_and_what_is_owed_is_said_after_it(pair: Pair) -> None:
    """FAULTS 60."""
    pair.talk.is_quiet = False
    pair.peer.shutdown(socket.SHUT_WR)
    pair.poll()
    assert pair.poll() == []  # the end of a stream is readable for ever
    pair.talk.is_quiet = True
    pair.say(b"receipt")
    assert read_all(pair.peer) == b"receipt"
    pair.poll()
    assert pair.talk.ends == 1
    assert pair.talk.closed_because == ["closed by the peer"]


@pytest.mark.parametrize("half_closed_first", [False, True])
def test_a_reset_while_nothing_is_read_ends_the_connection(pair: Pair, half_closed_first: bool) -> None:
    """FAULTS 59: the kernel reports it for ever, so that the loop would turn and turn."""
    if half_closed_first:
        pair.talk.is_quiet = False
        pair.peer.shutdown(socket.SHUT_WR)
    else:
        pair.talk.thirsty = False
        pair.peer.sendall(b"1")
    pair.poll()
    pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.peer.close()
    masks = pair.poll()
    assert masks
    assert masks[0] & (select.EPOLLHUP | select.EPOLLERR)
    assert len(pair.talk.closed_because) == 1
    assert pair.listener.connections == set()


def test_another_conversation_may_go_on_where_the_first_has_ended(pair: Pair) -> None:
    first, second = pair.talk, Talk()
    second.moment = pair.world.clock.monotonic() + 3
    pair.peer.sendall(b"one")
    pair.poll()
    pair.connection.hand_over(second)
    assert pair.look() == 3
    pair.peer.sendall(b"two")
    pair.poll()
    assert (first.received, second.received) == (b"one", b"two")
    pair.connection.abandon("enough")
    assert (first.closed_because, second.closed_because) == ([], ["enough"])


def test_a_connection_that_is_handed_over_is_read_as_its_next_conversation_wants(pair: Pair) -> None:
    second = Talk()
    second.thirsty = False
    pair.connection.hand_over(second)
    pair.peer.sendall(b"later")
    assert pair.poll() == []
    second.thirsty = True
    pair.connection.read_on()
    pair.poll()
    assert second.received == b"later"


def test_a_connection_is_closed_once_whoever_closes_it(pair: Pair) -> None:
    pair.connection.abandon("first")
    pair.connection.abandon("second")
    pair.connection.close("third")
    pair.connection.let_go()
    pair.connection.flush_output()
    pair.connection.deadline_changed()
    assert pair.look() == math.inf
    assert pair.talk.closed_because == ["first"]
    assert pair.world.node.pressure.output_bytes == 0


async def test_a_login_that_begins_after_the_end_does_nothing(pair: Pair) -> None:
    """FAULTS 59: a reset between CONNECT and the first turn of its task."""

    async def log_in() -> None:
        raise AssertionError("nobody is there")

    pair.talk.login = log_in
    pair.peer.sendall(b"CONNECT")
    pair.poll()
    (task,) = pair.tasks
    pair.connection.abandon("reset")
    await task()


async def test_a_fault_in_a_task_beside_a_connection_costs_that_connection(pair: Pair) -> None:
    async def fail() -> None:
        raise ValueError("a fault of ours")

    pair.connection.start(fail)
    (task,) = pair.tasks
    await task()
    assert pair.talk.closed_because == ["internal error"]
    assert len(pair.world.log.named("internal.error")) == 1
