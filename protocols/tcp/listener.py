"""A front-end's listeners: they accept connections within the limits, and take leave of them at the end."""

from __future__ import annotations

import errno
import resource
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import trio

from segue.broker.errors import BrokerError, LimitReachedError, ShuttingDownError
from segue.protocols.tcp.connection import TcpConnection
from segue.protocols.tcp.conversation import Conversation
from segue.protocols.tcp.deadlines import Deadlines
from segue.protocols.tcp.poller import Poller
from segue.protocols.tcp.strangers import Strangers

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.settings import ListenAddress

__all__ = ["Listener"]

_BACKLOG: Final = 1024
_ACCEPTS_A_TURN: Final = 64
_ACCEPT_RETRY_SECONDS: Final = 0.1
_PEER_IS_GONE: Final = frozenset(
    {
        errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.ENOPROTOOPT, errno.EHOSTDOWN, errno.ENONET,
        errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH, errno.EPERM,
    }
)  # fmt: skip
"""Errors of the connection that was to be accepted, and not of the listener (accept(2)); EPERM is a firewall's."""
_KEEPALIVE: Final = (30, 10, 3)
"""Idle, interval, count: a dead peer is found after 60 s (FAULTS 52)."""
_DESCRIPTORS_RESERVED: Final = 64
"""Descriptors that connections leave to the store: journal, catalog, segments being read and written."""


class Listener:
    """The listening sockets of a front-end and their connections."""

    def __init__(
        self,
        node: Node,
        name: str,
        addresses: Sequence[ListenAddress],
        make: Callable[[TcpConnection], Conversation],
        refusal: Callable[[BrokerError], bytes],
    ) -> None:
        """`make` builds the conversation of a new connection; `refusal` says that a limit or a stop forbids one."""
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
        limits = node.settings.limits
        self._strangers = Strangers(
            limits.connections_unauthenticated_max, limits.connections_unauthenticated_per_address_max
        )
        self._connections_max = min(limits.connections_max, _descriptors() - _DESCRIPTORS_RESERVED)

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task as long as the listener."""
        self._nursery.start_soon(task)

    def authenticated(self, connection: TcpConnection) -> None:
        """A connection no longer counts as a stranger's."""
        self._strangers.remove(connection)

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
                    try:
                        with trio.CancelScope(shield=True):
                            await self._say_goodbye(sockets, drain_seconds)
                    finally:
                        scope.cancel()
        finally:
            for sock in sockets:
                sock.close()
            self.poller.close()

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
        if self.node.stopping:  # or it is a crash: then nothing that is owed becomes durable any more
            for connection in list(self.connections):
                try:
                    connection.close("the broker is shutting down")
                except Exception as error:  # noqa: BLE001 - a fault of ours costs one connection its good-bye
                    self.node.log.crash("internal.error", error, peer=connection.peer)
                    connection.abandon("internal error")
            self.node.end_step()
            self._note_closed()
            with trio.move_on_after(drain_seconds):
                await self._all_closed.wait()
        for connection in list(self.connections):
            connection.abandon("the broker is shutting down")

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            for _ in range(_ACCEPTS_A_TURN):
                try:
                    sock, address = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno in _PEER_IS_GONE:
                        continue  # and whoever waits behind it is next
                    # No descriptors, or no memory: the listener lives on, and leaves the others their turn.
                    self._note_not_accepted(error)
                    await trio.sleep(_ACCEPT_RETRY_SECONDS)
                    break
                try:
                    self._take(sock, address)
                except OSError as error:
                    # Likewise: epoll has no room for it (epoll_ctl(2), ENOSPC and ENOMEM).
                    self._note_not_accepted(error)
                    sock.close()
            await trio.lowlevel.checkpoint()

    def _take(self, sock: socket.socket, address: Any) -> None:
        sock.setblocking(False)
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        if self.node.stopping:
            self._refuse(sock, ShuttingDownError("the broker is shutting down"))
            return
        if len(self.connections) >= self._connections_max:
            full = LimitReachedError(f"limits.connections_max ({self._connections_max}) is reached")
            self.node.log.warning("connection.refused", protocol=self.name, peer=host, code=full.code, reason=str(full))
            self._refuse(sock, full)
            return
        _tune(sock, self.node.settings.limits.tcp_timeout_seconds)
        connection = TcpConnection(self, sock, host, address[1])
        self.connections.add(connection)
        self._strangers.add(connection)
        connection.deadline_changed()

    def forget(self, connection: TcpConnection) -> None:
        """A connection is closed."""
        self.connections.discard(connection)
        self._strangers.remove(connection)
        self.deadlines.remove(connection)
        self._note_closed()

    def _note_closed(self) -> None:
        if not self.connections:
            self._all_closed.set()

    def _note_not_accepted(self, error: OSError) -> None:
        self.node.log.warning("connection.not_accepted", protocol=self.name, reason=error.strerror)

    def _refuse(self, sock: socket.socket, failure: BrokerError) -> None:
        try:
            sock.send(self._refusal(failure))
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        sock.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from error
    family, _, _, _, address = found[0]
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
    idle, interval, count = _KEEPALIVE
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(tcp_timeout_seconds * 1000))


def _descriptors() -> int:
    """How many files this process may have open; the soft limit is raised to the hard one when the daemon starts."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
