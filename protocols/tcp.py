"""Sockets: accepting connections, one read loop for each, one write for all that a step has to say.

This file alone touches sockets. A front-end brings a `Conversation` for each connection: octets in, octets out, no I/O.

Theory of operation. A connection is one task that reads; it hands each read (up to 256 KiB) to its conversation and
ends the node's step. Output gathers in the conversation and is sent by `flush_output` at the end of a step, straight
from there in one non-blocking send: in the usual case no task has to be woken for it. Only when the kernel takes less
than all, a task carries on until it is out. Deadlines (login, heart-beats, stalls) are kept in one heap for all
connections, so an idle one costs one parked task and no timer.
"""

from __future__ import annotations

import errno
import heapq
import math
import os
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.settings import ListenAddress

__all__ = ["Conversation", "Listener", "TcpConnection"]

_READ_BYTES: Final = 256 << 10
_BACKLOG: Final = 1024
_LINGER_SECONDS: Final = 5.0
"""After the last word (an ERROR, the receipt of a DISCONNECT) the peer gets this long to read it and close."""
_ACCEPT_RETRY_SECONDS: Final = 0.1
_DEADLINE_REST_SECONDS: Final = 0.02
"""Between two looks at one connection: what is due now is done at the end of this step."""
_TCP_INFO_KEEPALIVE: Final = (30, 10, 3)
"""Idle, interval, count: a dead peer is found after 60 s (FAULTS 52)."""


class Conversation(Protocol):
    """One connection's protocol, without I/O. Every method is called on the event loop and returns at once.

    Attributes:
        finished: nothing more is to be read; what is in the output is sent, then the connection closes.
        thirsty: False while reading has to wait (publishers are held and its buffer is full).
        login: set when a peer has to be authenticated: awaited by the connection before it reads on.
        session: the node's session, None before login.
    """

    finished: bool
    thirsty: bool
    login: Callable[[], Awaitable[None]] | None

    def receive(self, data: bytes) -> None:
        """One read."""

    def end_of_input(self) -> None:
        """The peer has closed its side."""

    def go_on(self) -> None:
        """Publishers are no longer held."""

    def take_output(self) -> bytes:
        """Everything that is to be written."""

    def output_sent(self) -> None:
        """What the last `take_output` gave is with the kernel."""

    def output_stuck(self, size: int) -> None:
        """So many bytes of it are not."""

    def quiet(self) -> bool:
        """True when nothing is owed to the peer any more, receipts included."""

    def next_deadline(self, now: float) -> float:
        """When `deadline` wants to be called next, monotonic seconds; infinity for never."""

    def deadline(self, now: float) -> str:
        """A moment from `next_deadline` has come: may write; returns why to close, or an empty string."""

    def closed_by_node(self, reason: str) -> None:
        """An operator or the end of the broker closes the connection: may say so."""

    def closed(self, reason: str) -> None:
        """The connection is gone."""


class TcpConnection:
    """A `segue.broker.node.Output` over one socket."""

    __slots__ = (
        "_closing", "_conversation", "_deadline_at", "_listener", "_node", "_released", "_rest", "_scope", "_sending", "_socket",
        "last_received", "last_sent", "last_progress", "peer", "reason",
    )  # fmt: skip

    def __init__(self, listener: Listener, sock: socket.socket, peer: str) -> None:
        self._listener = listener
        self._node = listener.node
        self._socket = sock
        self.peer = peer
        self._scope = trio.CancelScope()
        self._rest = memoryview(b"")
        self._sending = False
        self._closing = False
        self._released: trio.Event | None = None
        self._deadline_at = math.inf
        now = listener.node.clock.monotonic()
        self.last_received = self.last_sent = self.last_progress = now
        self.reason = ""
        self._conversation = listener.make(self)

    # -- called by conversations and the node

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task beside the connection; it ends by itself when the conversation is finished."""
        self._listener.start(task)

    @property
    def peer_is_loopback(self) -> bool:
        """True when the peer is on this machine."""
        return self.peer.startswith(("127.", "[::1]", "[::ffff:127."))

    def deadline_changed(self) -> None:
        """The conversation's next deadline may be earlier than before."""
        self._listener.deadlines.put(self, self._conversation.next_deadline(self._node.clock.monotonic()))

    def let_go(self) -> None:
        self._conversation.go_on()
        if self._released is not None:
            self._released.set()

    def close(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._conversation.closed_by_node(reason)
        self._conversation.finished = True
        self._scope.cancel()

    def abandon(self, reason: str) -> None:
        """Close without another word."""
        self.reason = self.reason or reason
        self._closing = True
        self._scope.cancel()

    def flush_output(self) -> None:
        if self._sending or self._closing:
            return
        data = self._conversation.take_output()
        if not data:
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.abandon(f"write failed: {error.strerror}")
            return
        self.last_sent = self.last_progress = self._node.clock.monotonic()
        if sent == len(data):
            self._conversation.output_sent()
        else:
            self._sending = True
            self._keep(memoryview(data)[sent:])
            self.deadline_changed()
            self._listener.start(self._drain)

    # -- tasks

    async def run(self) -> None:
        """Converse until one side is done."""
        try:
            with self._scope:
                try:
                    await self._read()
                except Exception as error:  # the boundary: a fault of ours costs this connection, not the broker
                    self._node.log.crash("internal.error", error, peer=self.peer)
                    self.abandon("internal error")
            if not self._closing:
                with trio.move_on_after(_LINGER_SECONDS) as linger:
                    linger.shield = True
                    await self._finish()
        finally:
            self._closing = True
            self._socket.close()
            self._conversation.closed(self.reason)
            self._node.end_step()

    async def _read(self) -> None:
        sock, conversation, node = self._socket, self._conversation, self._node
        wait_readable = trio.lowlevel.wait_readable
        monotonic = node.clock.monotonic
        more = False
        while not conversation.finished:
            if not more:
                await wait_readable(sock)
            try:
                data = sock.recv(_READ_BYTES)
            except BlockingIOError:
                more = False
                continue
            except OSError as error:
                self.abandon(f"read failed: {error.strerror}")
                return
            if not data:
                self.reason = self.reason or "closed by the peer"
                conversation.end_of_input()
                node.end_step()
                return
            self.last_received = monotonic()
            conversation.receive(data)
            node.end_step()
            while conversation.login is not None:
                login, conversation.login = conversation.login, None
                await login()
                node.end_step()
            while not conversation.thirsty and not conversation.finished:
                self._released = trio.Event()
                await self._released.wait()
                node.end_step()
            # A full read: there is more, most likely. But everybody else gets their turn first.
            more = len(data) == _READ_BYTES
            if more:
                await trio.lowlevel.checkpoint()

    async def _finish(self) -> None:
        """Everything that is owed is said, then our side closes, and the peer gets the time to read it."""
        while self._sending or not self._conversation.quiet():
            if self._closing:
                return
            await trio.sleep(0.01)
        self.flush_output()
        while self._sending:
            await trio.sleep(0.01)
        try:
            self._socket.shutdown(socket.SHUT_WR)
            while True:
                await trio.lowlevel.wait_readable(self._socket)
                if not self._socket.recv(65536):
                    return
        except OSError:
            return

    async def _drain(self) -> None:
        """Send what the kernel did not take at once, and what has come up meanwhile."""
        conversation = self._conversation
        while not self._closing:
            try:
                await trio.lowlevel.wait_writable(self._socket)
                sent = self._socket.send(self._rest)
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError, ValueError):
                self.abandon(self.reason or "write failed")
                break
            self.last_sent = self.last_progress = self._node.clock.monotonic()
            self._keep(self._rest[sent:])
            if self._rest:
                continue
            conversation.output_sent()
            data = conversation.take_output()
            if not data:
                break
            self._keep(memoryview(data))
            self._node.end_step()
        self._sending = False
        self._keep(memoryview(b""))
        self._node.end_step()

    def _keep(self, rest: memoryview) -> None:
        self._node.pressure.output_bytes += len(rest) - len(self._rest)
        self._rest = rest
        self._conversation.output_stuck(len(rest))

    @property
    def stalled_since(self) -> float:
        """Since when output waits without any of it going out, monotonic seconds; infinity when none waits."""
        return self.last_progress if self._sending else math.inf

    def look_at_deadline(self, now: float) -> float:
        """Called by `Deadlines`. Returns the next moment."""
        reason = "" if self._closing else self._conversation.deadline(now)
        if reason:
            self.reason = self.reason or reason
            if self._conversation.finished:
                self._scope.cancel()  # it has something to say about it
            else:
                self.abandon(reason)
        return math.inf if self._closing else max(now + _DEADLINE_REST_SECONDS, self._conversation.next_deadline(now))


class Deadlines:
    """One heap and one task for the deadlines of all connections."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._heap: list[tuple[float, int, TcpConnection]] = []
        self._number = 0
        self._earlier = trio.Event()

    def put(self, connection: TcpConnection, at: float) -> None:
        """Look at a connection at this moment; a later one that stands already is ignored when it comes."""
        if at >= connection._deadline_at or at == math.inf:
            return
        connection._deadline_at = at
        self._number += 1
        heapq.heappush(self._heap, (at, self._number, connection))
        if self._heap[0][2] is connection:
            self._earlier.set()

    async def serve(self) -> None:
        """Look at connections when their time has come, until cancelled."""
        monotonic = self._node.clock.monotonic
        while True:
            self._earlier = trio.Event()
            pause = max(0.0, self._heap[0][0] - monotonic()) if self._heap else 3600.0
            with trio.move_on_after(pause):
                await self._earlier.wait()
            self._look(monotonic())
            await trio.lowlevel.checkpoint()

    def _look(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            at, _, connection = heapq.heappop(self._heap)
            if at != connection._deadline_at or connection._closing:
                continue
            connection._deadline_at = math.inf
            self.put(connection, connection.look_at_deadline(now))
        self._node.end_step()


class Listener:
    """The listening sockets of a front-end and their connections."""

    def __init__(
        self,
        node: Node,
        name: str,
        addresses: Sequence[ListenAddress],
        make: Callable[[TcpConnection], Conversation],
        refusal: Callable[[str], bytes],
    ) -> None:
        """`make` builds the conversation of a new connection; `refusal` says why there is none."""
        self.node = node
        self.name = name
        self.make = make
        self.deadlines = Deadlines(node)
        self.connections: set[TcpConnection] = set()
        self._refusal = refusal
        self._addresses = addresses
        self._nursery: trio.Nursery | None = None
        self._per_address: Counter[str] = Counter()
        self._strangers = 0

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task as long as the listener."""
        assert self._nursery is not None
        self._nursery.start_soon(task)

    def authenticated(self, connection: TcpConnection) -> None:
        """A connection no longer counts as a stranger's."""
        self._strangers -= 1
        self._forget_address(connection)

    def stranger_left(self, connection: TcpConnection) -> None:
        """A connection closed without having been authenticated."""
        self.authenticated(connection)

    async def serve(self, task_status: trio.TaskStatus[Sequence[str]], drain_seconds: float) -> None:
        """Accept and converse until cancelled; then close the listeners, say goodbye, and wait a while.

        Raises:
            OSError: an address can't be listened on.
        """
        sockets = [_listen(address.host, address.port) for address in self._addresses]
        try:
            async with trio.open_nursery() as connections:
                connections.cancel_scope.shield = True
                self._nursery = connections
                connections.start_soon(self.deadlines.serve)
                try:
                    async with trio.open_nursery() as accepting:
                        for sock in sockets:
                            accepting.start_soon(self._accept, sock)
                        task_status.started([_name_of(sock) for sock in sockets])
                finally:
                    with trio.CancelScope(shield=True):
                        await self._say_goodbye(sockets, drain_seconds)
                    connections.cancel_scope.cancel()
        finally:
            for sock in sockets:
                sock.close()

    async def _say_goodbye(self, sockets: list[socket.socket], drain_seconds: float) -> None:
        for sock in sockets:
            sock.close()
        for connection in list(self.connections):
            connection.close("the broker is shutting down")
        self.node.end_step()
        with trio.move_on_after(drain_seconds):
            while self.connections:
                await trio.sleep(0.02)

    async def _accept(self, listener: socket.socket) -> None:
        spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        while True:
            await trio.lowlevel.wait_readable(listener)
            for _ in range(64):
                try:
                    sock, address = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno in (errno.EMFILE, errno.ENFILE):
                        # Take the connection with a descriptor kept for this, and close it: the peer is refused
                        # instead of waiting, and the listener does not spin.
                        os.close(spare)
                        _accept_and_close(listener)
                        spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
                    await trio.sleep(_ACCEPT_RETRY_SECONDS)
                    break
                self._take(sock, address)
            await trio.lowlevel.checkpoint()

    def _take(self, sock: socket.socket, address: Any) -> None:
        sock.setblocking(False)
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        limits = self.node.settings.limits
        full = ""
        if len(self.connections) >= limits.connections_max:
            full = f"limits.connections_max ({limits.connections_max}) is reached"
        elif self._strangers >= limits.connections_unauthenticated_max:
            full = "too many connections that have not logged in"
        elif self._per_address[host] >= limits.connections_unauthenticated_per_address_max:
            full = "too many connections from this address that have not logged in"
        if full or self.node.stopping:
            self._refuse(sock, full or "the broker is shutting down")
            return
        _tune(sock, limits.tcp_timeout_seconds)
        connection = TcpConnection(self, sock, f"{host}:{address[1]}")
        self._strangers += 1
        self._per_address[host] += 1
        self.connections.add(connection)
        connection.deadline_changed()
        assert self._nursery is not None
        self._nursery.start_soon(self._run, connection)

    async def _run(self, connection: TcpConnection) -> None:
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)

    def _refuse(self, sock: socket.socket, reason: str) -> None:
        try:
            sock.send(self._refusal(reason))
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        sock.close()

    def _forget_address(self, connection: TcpConnection) -> None:
        host = connection.peer.rpartition(":")[0]
        self._per_address[host] -= 1
        if self._per_address[host] <= 0:
            del self._per_address[host]


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from error
    return sock


def _name_of(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tune(sock: socket.socket, tcp_timeout_seconds: float) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle, interval, count = _TCP_INFO_KEEPALIVE
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(tcp_timeout_seconds * 1000))


def _accept_and_close(listener: socket.socket) -> None:
    try:
        sock, _ = listener.accept()
    except OSError:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
