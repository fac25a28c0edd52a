"""The control socket: a Unix socket in the data directory, for root and for the account that the daemon runs under.

Nothing else is asked: who may read the data directory may do all that a command can. The check is by what the kernel
says of the peer (SO_PEERCRED), and the socket has mode 0600 besides.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from segue.broker.rates import RateMeter
from segue.protocols.control.frames import (
    ControlError,
    ErrorCode,
    Request,
    RequestId,
    RequestReader,
    error_line,
    items_line,
    progress_line,
    result_line,
)
from segue.protocols.control.session import ControlSession
from segue.protocols.control.socket_path import socket_address

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.settings import Control

__all__ = ["ControlFrontend", "is_allowed"]

_CONNECTIONS_MAX: Final = 32
"""People and scripts that look after one daemon at a time. Redis has no bound of its own for these; we keep
descriptors for clients."""
_BACKLOG: Final = 32
_READ_BYTES: Final = 64 << 10
_OTHER_LINE_BYTES: Final = 256 << 10
"""What a request may have besides a body: headers, and the JSON around it."""
_PASSING: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED})
"""No descriptor or no memory is free at the moment, or the client is gone again: accept(2)."""
_PEER: Final = struct.Struct("iII")
"""struct ucred: pid, uid, gid."""


class ControlFrontend:
    """A `segue.broker.frontends.FrontEnd`."""

    name = "control"
    settings_section = "control"

    async def serve(self, node: Node, settings: Control, *, task_status: trio.TaskStatus[Sequence[str]]) -> None:
        """See `FrontEnd`."""
        self._node = node
        self._log = node.log
        self._meter = RateMeter(node)
        self._open = 0
        # A body travels in base64, which takes four thirds of its size.
        self._line_bytes_max = node.settings.limits.body_bytes_max * 4 // 3 + _OTHER_LINE_BYTES
        path = node.settings.control_socket
        with _listening(path) as listener:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._meter.serve)
                task_status.started([str(path)])
                while True:
                    connection = await self._accept(listener)
                    if connection is not None:
                        nursery.start_soon(self._serve_one, connection)

    async def _accept(self, listener: trio.socket.SocketType) -> trio.socket.SocketType | None:
        try:
            connection, _ = await listener.accept()
        except OSError as error:
            if error.errno not in _PASSING:
                raise
            await trio.sleep(0.1)  # the client waits in the backlog
            return None
        return connection

    async def _serve_one(self, connection: trio.socket.SocketType) -> None:
        self._open += 1
        try:
            with connection, suppress(_ClientGone):
                await _Conversation(connection, self._line_bytes_max, self).run(self._refusal(connection))
        finally:
            self._open -= 1

    def _refusal(self, connection: trio.socket.SocketType) -> ControlError | None:
        """Why this peer is not served."""
        pid, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        if not is_allowed(uid, os.geteuid()):
            self._log.warning("control.refused", reason="another account", uid=uid, pid=pid)
            return ControlError(ErrorCode.NOT_ALLOWED, "only root and the daemon's own account may use this socket")
        if self._open > _CONNECTIONS_MAX:
            return ControlError(ErrorCode.TOO_MANY, f"{_CONNECTIONS_MAX} control connections are open")
        return None

    def session(self) -> ControlSession:
        """For a new connection."""
        return ControlSession(self._node, self._meter)

    def write_stall_seconds(self) -> float:
        """How long a client may leave an answer unread."""
        return self._node.settings.limits.write_stall_seconds

    def crashed(self, error: Exception, request: Request) -> ControlError:
        """A fault of ours costs this request, not the broker."""
        self._log.crash("internal.error", error, protocol="control", command=request.do)
        return ControlError(ErrorCode.INTERNAL, "an error in Segue: the daemon's log has the event internal.error")

    def carried_out(self, request: Request) -> None:
        """For the log."""
        self._log.debug("control.request", command=request.do)


def is_allowed(peer_uid: int, own_uid: int) -> bool:
    """Whether a process of this account may use the socket."""
    return peer_uid in (0, own_uid)


class _Conversation:
    """One connection. It is a `segue.protocols.control.session.Answer` for the request that is being carried out."""

    def __init__(self, connection: trio.socket.SocketType, line_bytes_max: int, frontend: ControlFrontend) -> None:
        self._connection = connection
        self._reader = RequestReader(line_bytes_max)
        self._frontend = frontend
        self._answering: RequestId = None

    async def run(self, refusal: ControlError | None) -> None:
        if refusal is not None:
            await self._send(error_line(refusal))
            return
        session = self._frontend.session()
        while data := await self._receive():
            for request in self._reader.receive_data(data):
                if isinstance(request, ControlError):
                    await self._send(error_line(request))
                    if request.ends_connection:
                        return
                else:
                    await self._answer(session, request)

    async def items(self, items: list[Mapping[str, Any]]) -> None:
        await self._send(items_line(self._answering, items))

    async def progress(self, done: int, total: int) -> None:
        await self._send(progress_line(self._answering, done, total))

    async def _answer(self, session: ControlSession, request: Request) -> None:
        self._answering = request.id
        try:
            last = result_line(request.id, await session.carry_out(request, self))
        except ControlError as error:
            last = error_line(error, request.id)
        except _ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary
            last = error_line(self._frontend.crashed(error, request), request.id)
        self._frontend.carried_out(request)
        await self._send(last)

    async def _receive(self) -> bytes:
        try:
            return await self._connection.recv(_READ_BYTES)
        except OSError as error:
            raise _ClientGone from error

    async def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            with trio.move_on_after(self._frontend.write_stall_seconds()) as stall:
                try:
                    rest = rest[await self._connection.send(rest) :]
                except OSError as error:
                    raise _ClientGone from error
            if stall.cancelled_caught:
                raise _ClientGone


class _ClientGone(Exception):
    """The client has closed, or does not read. Not an OSError: those of the disk are something else."""


@contextmanager
def _listening(path: Path) -> Iterator[trio.socket.SocketType]:
    """A listening socket at `path`, which goes again when the block ends."""
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with listener:
        try:
            with socket_address(path) as address:
                listener.bind(address)
        except OSError as error:
            raise OSError(error.errno, f"control socket {path}: {error.strerror or error}") from error
        made = os.stat(path)
        try:
            # Nobody can connect before `listen`, so there is no moment with other rights.
            os.chmod(path, 0o600)
            listener.listen(_BACKLOG)
            yield trio.socket.from_stdlib_socket(listener)
        finally:
            _remove(path, made)


def _remove_stale(path: Path) -> None:
    """Remove what a daemon left that was killed; one that answers is another daemon's."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, f"control socket {path}: there is something else in its place")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, socket_address(path) as address:
        probe.setblocking(False)  # one that is busy has a full backlog, and is alive
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except FileNotFoundError:
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, f"control socket {path}: another daemon listens there")


def _remove(path: Path, made: os.stat_result) -> None:
    """Remove the socket, if it is still ours."""
    with suppress(OSError):
        found = os.lstat(path)
        if (found.st_dev, found.st_ino) == (made.st_dev, made.st_ino):
            os.unlink(path)
