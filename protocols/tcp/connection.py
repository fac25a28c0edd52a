"""A connection: one socket and its conversation, driven by the poller and by deadlines."""

from __future__ import annotations

import math
import select
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from segue.protocols.tcp.conversation import Conversation
    from segue.protocols.tcp.listener import Listener

__all__ = ["TcpConnection"]

_BUFFER: Final = memoryview(bytearray(256 << 10))
_NOTHING: Final = memoryview(b"")
_LINGER_SECONDS: Final = 5.0
"""After the last word (an ERROR, the receipt of a DISCONNECT) the peer gets this long to read it and close."""
_DEADLINE_REST_SECONDS: Final = 0.02
"""Between two looks at one connection: what is due now is done at the end of this step."""


class TcpConnection:
    """A `segue.broker.node.Output` over one socket. Driven by the poller and by deadlines; no task of its own.

    Its way: reading, until the conversation is `finished`; finishing, until everything owed is said; lingering, with
    our side shut down, until the peer has closed too or its time is over; closed.

    Attributes:
        address: the peer's host.
        peer: `host:port`.
        last_received: monotonic seconds of the last octet that came.
        last_progress: of the last octet that the kernel took, or of the moment when output began to wait.
        reason: why the connection ends; empty while it lives.
        was_reset: the peer has torn it down: what was written last it may never have read.
    """

    __slots__ = (
        "_closed", "_conversation", "_finishing", "_linger_until", "_listener", "_login_running", "_mask", "_node",
        "_rest", "_socket", "address", "deadline_at", "deadline_number", "last_progress", "last_received", "peer",
        "reason", "was_reset",
    )  # fmt: skip

    def __init__(self, listener: Listener, sock: socket.socket, address: str, port: int) -> None:
        self._listener = listener
        self._node = listener.node
        self._socket = sock
        self.address = address
        self.peer = f"{address}:{port}"
        self._rest = _NOTHING
        self._mask = select.EPOLLIN
        self._closed = False
        self._finishing = False
        self._login_running = False
        self._linger_until = math.inf
        self.deadline_at = math.inf
        self.deadline_number = 0
        self.last_received = self.last_progress = listener.node.clock.monotonic()
        self.reason = ""
        self.was_reset = False
        self._conversation = listener.make(self)
        listener.poller.register(sock.fileno(), self)

    # -- called by conversations and the node

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task beside the connection; it ends by itself when the conversation is finished."""
        self._listener.start(partial(self._run, task))

    @property
    def peer_is_loopback(self) -> bool:
        """True when the peer is on this machine."""
        return self.peer.startswith(("127.", "[::1]", "[::ffff:127."))

    @property
    def closed(self) -> bool:
        """True when the socket is closed."""
        return self._closed

    @property
    def stalled_since(self) -> float:
        """Since when output waits without any of it going out, monotonic seconds; infinity when none waits."""
        return self.last_progress if self._rest else math.inf

    @property
    def reading(self) -> bool:
        """False while nothing is read, so that nobody can tell what the peer has said meanwhile."""
        return bool(self._mask & select.EPOLLIN)

    def authenticated(self) -> None:
        """The peer has proved who it is: the connection no longer counts as a stranger's."""
        self._listener.authenticated(self)

    def hand_over(self, conversation: Conversation) -> None:
        """Another protocol goes on from here; the conversation so far has said all that it had to say."""
        self._conversation = conversation
        self.deadline_changed()
        self._look_after_input()

    def deadline_changed(self) -> None:
        """The conversation's next deadline may be earlier than before."""
        if not self._closed:
            self._listener.deadlines.put(self, self._conversation.next_deadline(self._node.clock.monotonic()))

    def let_go(self) -> None:
        if not self._closed:
            self._conversation.go_on()
            self._look_after_input()

    def read_on(self) -> None:
        """See `segue.broker.receiving.Receiver`."""
        self._look_after_input()

    def frame_late(self) -> None:
        """See `segue.broker.receiving.Receiver`."""
        if not self._closed:
            self._conversation.frame_late()
            self._look_after_input()

    def close(self, reason: str) -> None:
        if self._closed:
            return
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
        if not self.closed and self._conversation.finished:
            self._finish()

    # -- called by the poller and the deadlines

    def ready(self, mask: int) -> int:
        """The socket can be read or written. Returns how many octets were read."""
        if mask & select.EPOLLERR:
            self.was_reset = True
        if mask & select.EPOLLOUT and self._rest:
            self._send(self._rest)
            self.flush_output()
        if self._closed or not mask & ~select.EPOLLOUT:
            return 0
        if self._mask & select.EPOLLIN:
            return self._read()
        if mask & (select.EPOLLHUP | select.EPOLLERR):
            # Nothing is read now, and both directions are gone: the kernel would report that for ever.
            self.abandon("reset by the peer")
        return 0

    def look_at_deadline(self, now: float) -> float:
        """A deadline may have come. Returns the moment of the next one."""
        if self._closed:
            return math.inf
        if now >= self._linger_until:
            self.abandon(self.reason)
            return math.inf
        # What waits in the socket counts: the process may have been stopped, or the loop late, and the peer was not.
        if self._mask & select.EPOLLIN:
            self._read()
            if self.closed:
                return math.inf
        if self._finishing:
            return self._linger_until  # our side is shut: nothing can be said any more
        was_finished = self._conversation.finished
        reason = self._conversation.deadline(now)
        if reason:
            self.reason = self.reason or reason
            if was_finished or not self._conversation.finished:
                self.abandon(reason)
                return math.inf
            self._look_after_input()
            if self.closed:
                return math.inf
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
        conversation = self._conversation
        del self._conversation  # it refers to us: without this only the garbage collector would free the two
        conversation.closed(self.reason)

    # -- inside

    def _read(self) -> int:
        try:
            # Into one buffer for all: a bytes object of 256 KiB for each read would be mapped and unmapped by malloc,
            # which takes ten times as long as a small read.
            receiving = self._node.receiving
            size = self._socket.recv_into(_BUFFER, receiving.read_bytes_max(self) if receiving.crowded else 0)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.was_reset = True
            self.abandon(f"read failed: {error.strerror}")
            return 0
        data = bytes(_BUFFER[:size])
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
        if self._closed:
            return
        conversation = self._conversation
        if conversation.login is not None and not self._login_running:
            self._login_running = True
            self._listener.start(self._log_in)
        if conversation.finished:
            self._finish()
        else:
            self._watch(reading=conversation.thirsty and not self._login_running)

    async def _run(self, task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        except Exception as error:  # noqa: BLE001 - the boundary of this task
            self._node.log.crash("internal.error", error, peer=self.peer)
            self.abandon("internal error")
            self._node.end_step()

    async def _log_in(self) -> None:
        if self._closed:
            return  # it was reset before its login began
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
            self.last_progress = self._node.clock.monotonic()
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
            self.deadline_changed()  # heart-beats go on
            return
        self._conversation.output_sent()

    def _keep(self, rest: memoryview) -> None:
        self._node.pressure.output_bytes += len(rest) - len(self._rest)
        self._rest = rest
        if not self._closed:
            self._conversation.output_stuck(len(rest))

    def _watch(self, *, reading: bool) -> None:
        mask = (select.EPOLLIN if reading else 0) | (select.EPOLLOUT if self._rest else 0)
        if mask != self._mask:
            read_again = mask & ~self._mask & select.EPOLLIN
            self._mask = mask
            self._listener.poller.modify(self._socket.fileno(), mask)
            if read_again:
                # What the peer has said while nothing was read is still to be seen: only from now on it may be silent.
                self.last_received = self._node.clock.monotonic()
                self.deadline_changed()
