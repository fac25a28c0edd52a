"""One WebSocket: a `segue.protocols.tcp.Conversation` that carries another one.

Theory of operation. The carried conversation has the connection as if it were alone on it: what the peer sends comes to
it as octets, once a read, and each frame that it gives leaves as a message, all of a step in one write. Deadlines,
limits of memory and logins are its own. What is ours: frames, pings, and the close handshake.

The end has one way, whoever wants it. First nothing more is read (`finished`): the peer has sent Close, or closed its
side, or broken the rules; or the carried conversation has finished; or the broker closes the connection. Then the
carried one says what it still owes, receipts included. Behind that comes our Close, and behind that nothing.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio
from wsproto.frame_protocol import CloseReason

from segue.protocols.websocket.frames import CLOSE, PING, PONG, frame_control, frame_messages
from segue.protocols.websocket.reader import Closing, Control, MessageReader, Violation

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.protocols.tcp import TcpConnection
    from segue.protocols.websocket.subprotocol import Subprotocol

__all__ = ["WebSocketConversation"]

_CONTROLS_A_SECOND: Final = 10
_CONTROLS_AT_ONCE: Final = 200
"""Pings and pongs beyond this many are a flood. Who pings every second may be stopped for minutes and be resumed."""


class WebSocketConversation:
    """See the module."""

    def __init__(self, node: Node, connection: TcpConnection, subprotocol: Subprotocol, ping_seconds: float) -> None:
        """`ping_seconds`: who is silent for so long gets a ping, and is gone if nothing comes for as long again."""
        self.node = node
        self.connection = connection
        self._ping_seconds = ping_seconds
        self._carried = subprotocol.converse(connection)
        self._reader = MessageReader(subprotocol.message_bytes_max)
        self._over = False  # the end has begun, for a reason of ours: see `_end`
        self._close: tuple[int, str] = (CloseReason.NORMAL_CLOSURE, "")
        self._close_said = False
        # What is ours in the output: the answer to the last ping, which stands for those before it, and a ping.
        self._pong: bytes | None = None
        self._ping_due = False
        self._pinged_at = self._drained_at = -math.inf  # monotonic seconds; drained: of output that had to wait
        self._carried_is_sending = False
        # A bucket that leaks: pings and pongs that have come, as of a moment.
        self._controls = 0.0
        self._controls_at = connection.last_received

    # -- what the connection asks (Conversation)

    @property
    def finished(self) -> bool:
        """See `Conversation`."""
        return self._over or self._carried.finished

    @finished.setter
    def finished(self, value: bool) -> None:
        self._over = value

    @property
    def login(self) -> Callable[[], Awaitable[None]] | None:
        """See `Conversation`."""
        return self._carried.login

    @login.setter
    def login(self, value: Callable[[], Awaitable[None]] | None) -> None:
        self._carried.login = value

    @property
    def thirsty(self) -> bool:
        """See `Conversation`."""
        return not self._reader.more and self._carried.thirsty

    def receive(self, data: bytes) -> None:
        """See `Conversation`."""
        self._reader.receive(data)
        if not self._reader.more:
            self._work()

    def end_of_input(self) -> None:
        """See `Conversation`."""
        self._end(CloseReason.NORMAL_CLOSURE, "")

    def go_on(self) -> None:
        """See `Conversation`."""
        self._carried.go_on()
        self._look_for_end()

    def take_output(self) -> bytes:
        """See `Conversation`."""
        frames = self._carried.take_frames()
        if self._close_said:
            return b""
        self._carried_is_sending = bool(frames)
        framed = frame_messages(frames)
        if self._pong is not None:
            framed.append(frame_control(PONG, self._pong))
            self._pong = None
        if self._ping_due:
            framed.append(frame_control(PING, b""))
            self._ping_due = False
        if self.finished and self._carried.quiet():
            code, reason = self._close
            framed.append(frame_control(CLOSE, code.to_bytes(2, "big") + reason.encode("ascii", "replace")))
            self._close_said = True
        return b"".join(framed)

    def output_sent(self) -> None:
        """See `Conversation`."""
        if self._carried_is_sending:
            self._carried_is_sending = False
            self._carried.output_sent()

    def output_stuck(self, size: int) -> None:
        """See `Conversation`."""
        self._carried.output_stuck(size)
        if not size:
            self._drained_at = self.connection.last_progress

    def quiet(self) -> bool:
        """See `Conversation`."""
        return self._close_said

    def next_deadline(self, now: float) -> float:
        """See `Conversation`."""
        return min(self._carried.next_deadline(now), self._ping_at())

    def deadline(self, now: float) -> str:
        """See `Conversation`."""
        reason = self._carried.deadline(now)
        self._look_for_end()
        if reason or now < self._ping_at():
            return reason
        if self._pinged_at >= self._silent_since():
            return "no answer to a ping"
        self._pinged_at = now
        self._ping_due = True
        self.node.wrote(self.connection)
        return ""

    def frame_late(self) -> None:
        """See `Conversation`."""
        self._carried.frame_late()
        self._look_for_end()

    def closed_by_node(self, reason: str) -> None:
        """See `Conversation`."""
        self._carried.closed_by_node(reason)
        self._end(CloseReason.GOING_AWAY, reason)

    def closed(self, reason: str) -> None:
        """See `Conversation`."""
        self._over = True
        self._carried.closed(reason)

    # -- inside

    def _work(self) -> None:
        """Take what has come, as far as one turn goes."""
        data: list[bytes] = []
        end: Closing | Violation | None = None
        for event in self._reader.read():
            if isinstance(event, bytes):
                data.append(event)
            elif isinstance(event, Control):
                end = end or self._take_control(event)
            else:
                end = end or event
        octets = b"".join(data)  # a message may be empty, and no octets at all are the end of input
        if octets and not self.finished:
            self._carried.receive(octets)
        if isinstance(end, Violation):
            self._refuse(end)
        elif end is not None:
            self._end(end.code if end.code != CloseReason.NO_STATUS_RCVD else CloseReason.NORMAL_CLOSURE, "")
        elif self._reader.more and not self.finished:
            self.connection.start(self._work_later)
        self._look_for_end()

    async def _work_later(self) -> None:
        await trio.lowlevel.checkpoint()
        if not self.connection.closed and not self.finished:
            self._work()
            self.connection.read_on()
            self.node.end_step()

    def _take_control(self, control: Control) -> Violation | None:
        now = self.node.clock.monotonic()
        self._controls = max(0.0, self._controls - (now - self._controls_at) * _CONTROLS_A_SECOND) + 1
        self._controls_at = now
        if self._controls > _CONTROLS_AT_ONCE:
            text = f"More than {_CONTROLS_A_SECOND} pings a second"
            return Violation(int(CloseReason.POLICY_VIOLATION), text)
        if control.answer is not None:
            self._pong = control.answer
            self.node.wrote(self.connection)
        return None

    def _refuse(self, violation: Violation) -> None:
        self.connection.reason = self.connection.reason or violation.reason
        self.node.log.warning(
            "connection.refused",
            protocol="websocket",
            peer=self.connection.peer,
            code=violation.code,
            reason=violation.reason,
        )
        self._end(violation.code, violation.reason)

    def _end(self, code: int, reason: str) -> None:
        """Nothing more is read; Close follows what is still owed."""
        if self._over:
            return
        self._over = True
        if not self._carried.finished:
            self._carried.end_of_input()
        self._close = code, reason
        self.node.wrote(self.connection)

    def _look_for_end(self) -> None:
        """The carried conversation may have finished, or may owe nothing any more."""
        if self.finished and not self._close_said:
            self.node.wrote(self.connection)

    def _ping_at(self) -> float:
        """When a ping is due, or its answer is overdue."""
        if self.finished or not self.connection.reading or self.connection.stalled_since < math.inf:
            return math.inf
        return max(self._pinged_at, self._silent_since()) + self._ping_seconds

    def _silent_since(self) -> float:
        """Who reads slowly is not dead: a ping would stand behind all that he has not read, and so would its answer."""
        return max(self.connection.last_received, self._drained_at)
