"""Sockets: accepting connections, one read loop for each, one write for all that a step has to say.

This file alone touches sockets. A front-end brings a `Conversation` for each connection: octets in, octets out, no I/O.

Theory of operation. One task polls all connections; each read (up to 256 KiB) is handed to the connection's
conversation. Output gathers there and is sent by `flush_output` at the end of a step, in one non-blocking send; what
the kernel does not take goes when the poller says so. Deadlines (login, heart-beats, stalls) stand in one heap for all
connections. So an idle connection costs a few objects, no task and no timer.
"""

from __future__ import annotations

import errno
import heapq
import math
import os
import select
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
_ROUND_MAX: Final = 64
"""Connections handled before deliveries and receipts of others get their turn."""
_ROUND_BYTES: Final = 256 << 10
"""Octets read before every other task gets its turn: some 4 ms of work."""
_NOTHING: Final = memoryview(b"")
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
        login: set when a peer has to be authenticated: awaited by the connection before it reads on.
    """

    finished: bool
    login: Callable[[], Awaitable[None]] | None

    @property
    def thirsty(self) -> bool:
        """False while reading has to wait (publishers are held and what was put aside is much)."""

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
    """A `segue.broker.node.Output` over one socket. Driven by the poller and by deadlines; no task of its own.

    Its way: reading, until the conversation is `finished`; finishing, until everything owed is said; lingering, with
    our side shut down, until the peer has closed too or its time is over; closed.

    Attributes:
        peer: `host:port`.
        last_received, last_sent: monotonic seconds of the last octet.
        last_progress: of the last octet that the kernel took while output waited.
        reason: why the connection ends; empty while it lives.
    """

    __slots__ = (
        "_closed", "_conversation", "_finishing", "_linger_until", "_listener", "_login_running", "_mask", "_node",
        "_rest", "_socket", "deadline_at", "last_progress", "last_received", "last_sent", "peer", "reason",
    )  # fmt: skip

    def __init__(self, listener: Listener, sock: socket.socket, peer: str) -> None:
        self._listener = listener
        self._node = listener.node
        self._socket = sock
        self.peer = peer
        self._rest = _NOTHING
        self._mask = select.EPOLLIN
        self._closed = False
        self._finishing = False
        self._login_running = False
        self._linger_until = math.inf
        self.deadline_at = math.inf
        self.last_received = self.last_sent = self.last_progress = listener.node.clock.monotonic()
        self.reason = ""
        self._conversation = listener.make(self)
        listener.poller.register(sock.fileno(), self)

    # -- called by conversations and the node

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task beside the connection; it ends by itself when the conversation is finished."""
        self._listener.start(task)

    @property
    def peer_is_loopback(self) -> bool:
        """True when the peer is on this machine."""
        return self.peer.startswith(("127.", "[::1]", "[::ffff:127."))

    @property
    def stalled_since(self) -> float:
        """Since when output waits without any of it going out, monotonic seconds; infinity when none waits."""
        return self.last_progress if self._rest else math.inf

    def deadline_changed(self) -> None:
        """The conversation's next deadline may be earlier than before."""
        self._listener.deadlines.put(self, self._conversation.next_deadline(self._node.clock.monotonic()))

    def let_go(self) -> None:
        if not self._closed:
            self._conversation.go_on()
            self._look_after_input()

    def close(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._conversation.closed_by_node(reason)
        self._conversation.finished = True
        self._look_after_input()

    def flush_output(self) -> None:
        if self._closed or self._rest:
            return
        data = self._conversation.take_output()
        if data:
            self._send(memoryview(data))
        if self._conversation.finished and not self._closed:
            self._finish()

    # -- called by the poller and the deadlines

    def ready(self, mask: int) -> int:
        """The socket can be read or written. Returns how many octets were read."""
        if mask & select.EPOLLOUT and self._rest:
            self._send(self._rest)
            self.flush_output()
        if mask & ~select.EPOLLOUT and not self._closed:
            return self._read()
        return 0

    def look_at_deadline(self, now: float) -> float:
        """A deadline may have come. Returns the moment of the next one."""
        if self._closed:
            return math.inf
        if now >= self._linger_until:
            self.abandon(self.reason)
            return math.inf
        reason = self._conversation.deadline(now)
        if reason:
            self.reason = self.reason or reason
            if not self._conversation.finished:
                self.abandon(reason)
                return math.inf
            self._look_after_input()
        return min(self._linger_until, max(now + _DEADLINE_REST_SECONDS, self._conversation.next_deadline(now)))

    def abandon(self, reason: str) -> None:
        """Close without another word."""
        if self._closed:
            return
        self._closed = True
        self.reason = self.reason or reason
        self._keep(_NOTHING)
        self._listener.poller.unregister(self._socket.fileno())
        self._socket.close()
        self._listener.forget(self)
        self._conversation.closed(self.reason)

    # -- inside

    def _read(self) -> int:
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.abandon(f"read failed: {error.strerror}")
            return 0
        conversation = self._conversation
        if self._finishing:
            if not data:
                self.abandon(self.reason)
            return len(data)
        if data:
            self.last_received = self._node.clock.monotonic()
            conversation.receive(data)
        else:
            self.reason = self.reason or "closed by the peer"
            conversation.end_of_input()
        self._look_after_input()
        return len(data)

    def _look_after_input(self) -> None:
        """The conversation may have finished, want a login, or want no more input for now."""
        conversation = self._conversation
        if self._closed:
            return
        if conversation.login is not None and not self._login_running:
            self._login_running = True
            self._listener.start(self._log_in)
        if conversation.finished:
            self._finish()
        else:
            self._watch(reading=conversation.thirsty and not self._login_running)

    async def _log_in(self) -> None:
        conversation = self._conversation
        login, conversation.login = conversation.login, None
        assert login is not None
        try:
            await login()
        except Exception as error:  # noqa: BLE001 - the boundary of this task
            self._node.log.crash("internal.error", error, peer=self.peer)
            self.abandon("internal error")
        self._login_running = False
        self._look_after_input()
        self._node.end_step()

    def _finish(self) -> None:
        """Everything that is owed is said; then our side is shut, and the peer gets some time to read it."""
        if self._finishing:
            return
        if self._rest or not self._conversation.quiet():
            # Nothing more is read until then; who closes his side makes the socket readable for ever.
            self._watch(reading=False)
            return
        self._finishing = True
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.abandon(self.reason)
            return
        self._linger_until = self._node.clock.monotonic() + _LINGER_SECONDS
        self._listener.deadlines.put(self, self._linger_until)
        self._watch(reading=True)

    def _send(self, data: memoryview) -> None:
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.abandon(f"write failed: {error.strerror}")
            return
        if sent:
            self.last_sent = self.last_progress = self._node.clock.monotonic()
        if sent < len(data):
            first = not self._rest
            if first:
                self.last_progress = self._node.clock.monotonic()
            self._keep(data[sent:])
            if first:
                self._watch(reading=bool(self._mask & select.EPOLLIN))
                self.deadline_changed()
            return
        if self._rest:
            self._keep(_NOTHING)
            self._watch(reading=bool(self._mask & select.EPOLLIN))
        self._conversation.output_sent()

    def _keep(self, rest: memoryview) -> None:
        self._node.pressure.output_bytes += len(rest) - len(self._rest)
        self._rest = rest
        self._conversation.output_stuck(len(rest))

    def _watch(self, *, reading: bool) -> None:
        mask = (select.EPOLLIN if reading else 0) | (select.EPOLLOUT if self._rest else 0)
        if mask != self._mask:
            self._mask = mask
            self._listener.poller.modify(self._socket.fileno(), mask)


class Poller:
    """Finds out which connections can be read or written, for all of them at once.

    One epoll of our own, which trio watches like any other descriptor. A round handles all that is ready without going
    through the scheduler: a task for each connection cost 35 µs a read, which is most of the work when many
    connections send few messages each, and several KiB for each idle one (docs/adr/0004-one-poller.md).
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._epoll = select.epoll()
        self._connections: dict[int, TcpConnection] = {}

    def register(self, descriptor: int, connection: TcpConnection) -> None:
        """Begin to read from a connection."""
        self._connections[descriptor] = connection
        self._epoll.register(descriptor, select.EPOLLIN)

    def modify(self, descriptor: int, mask: int) -> None:
        """What to look for."""
        self._epoll.modify(descriptor, mask)

    def unregister(self, descriptor: int) -> None:
        """The connection is about to be closed."""
        del self._connections[descriptor]
        self._epoll.unregister(descriptor)

    async def serve(self) -> None:
        """Handle what is ready until cancelled."""
        node, poll, connections = self._node, self._epoll.poll, self._connections
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                spent = 0
                for descriptor, mask in poll(0, _ROUND_MAX):
                    if spent >= _ROUND_BYTES:
                        # Deliveries, receipts, deadlines and checkpoints are not kept waiting by many full reads.
                        node.end_step()
                        await trio.lowlevel.checkpoint()
                        spent = 0
                    connection = connections.get(descriptor)
                    if connection is None:
                        continue
                    try:
                        spent += connection.ready(mask)
                    except Exception as error:  # noqa: BLE001 - a fault of ours costs one connection
                        node.log.crash("internal.error", error, peer=connection.peer)
                        connection.abandon("internal error")
                    node.store.flush()  # the disk starts on the first connection's messages
                node.end_step()
        finally:
            self._epoll.close()


class Deadlines:
    """One heap and one task for the deadlines of all connections."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._heap: list[tuple[float, int, TcpConnection]] = []
        self._number = 0
        self._earlier = trio.Event()

    def put(self, connection: TcpConnection, at: float) -> None:
        """Look at a connection at this moment; a later one that stands already is ignored when it comes."""
        if at >= connection.deadline_at or at == math.inf:
            return
        connection.deadline_at = at
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
            if at != connection.deadline_at:
                continue
            connection.deadline_at = math.inf
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
        self.poller = Poller(node)
        self.connections: set[TcpConnection] = set()
        self._refusal = refusal
        self._addresses = addresses
        self._nursery: trio.Nursery
        self._all_closed = trio.Event()
        self._per_address: Counter[str] = Counter()
        self._strangers = 0

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task as long as the listener."""
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
            async with trio.open_nursery() as nursery:
                scope = await nursery.start(self._keep_connections)
                self._nursery.start_soon(self.deadlines.serve)
                self._nursery.start_soon(self.poller.serve)
                try:
                    async with trio.open_nursery() as accepting:
                        for sock in sockets:
                            accepting.start_soon(self._accept, sock)
                        task_status.started([_name_of(sock) for sock in sockets])
                finally:
                    with trio.CancelScope(shield=True):
                        await self._say_goodbye(sockets, drain_seconds)
                    scope.cancel()
        finally:
            for sock in sockets:
                sock.close()

    async def _keep_connections(self, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        """The nursery of all connections: a stop of the listeners does not reach into it."""
        with trio.CancelScope(shield=True) as scope:
            async with trio.open_nursery() as self._nursery:
                task_status.started(scope)
                await trio.sleep_forever()

    async def _say_goodbye(self, sockets: list[socket.socket], drain_seconds: float) -> None:
        for sock in sockets:
            sock.close()
        self._all_closed = trio.Event()
        for connection in list(self.connections):
            connection.close("the broker is shutting down")
        self.node.end_step()
        self._note_closed()
        with trio.move_on_after(drain_seconds):
            await self._all_closed.wait()
        for connection in list(self.connections):
            connection.abandon("the broker is shutting down")

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

    def forget(self, connection: TcpConnection) -> None:
        """A connection is closed."""
        self.connections.discard(connection)
        self._note_closed()

    def _note_closed(self) -> None:
        if not self.connections:
            self._all_closed.set()

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
