"""A connection without a socket, whose kernel takes as much as the test says."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

from tests.unit.broker.actors import World

__all__ = ["FakeConnection"]


class FakeConnection:
    """What a conversation knows of its connection. It writes as the real one does, to a kernel that is a number.

    Attributes:
        room: octets that the kernel still takes.
        written: octets that it took.
        tasks: what was started beside the connection.
    """

    def __init__(self, world: World, peer: str, make: Callable[[Any], Any]) -> None:
        """`make`: the conversation that it carries."""
        self.world = world
        self.peer = peer
        self.peer_is_loopback = peer.startswith("127.")
        self.reason = ""
        self.was_reset = False
        self.room = 1 << 40
        self.written = bytearray()
        self.tasks: list[Callable[[], Awaitable[None]]] = []
        self.closed = False
        self.reading = True
        self.deadline_changes = 0
        self.is_authenticated = False
        self.last_received = self.last_progress = world.clock.monotonic()
        self._rest = b""
        self.conversation = make(self)

    @property
    def stalled_since(self) -> float:
        return self.last_progress if self._rest else math.inf

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        self.tasks.append(task)

    def authenticated(self) -> None:
        self.is_authenticated = True

    def hand_over(self, conversation: Any) -> None:
        self.conversation = conversation

    def deadline_changed(self) -> None:
        self.deadline_changes += 1

    def read_on(self) -> None:
        self.reading = self.conversation.thirsty

    def frame_late(self) -> None:
        self.conversation.frame_late()

    def let_go(self) -> None:
        if not self.closed:
            self.conversation.go_on()

    def close(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.conversation.closed_by_node(reason)

    def abandon(self, reason: str) -> None:
        if not self.closed:
            self.closed = True
            self.reason = self.reason or reason
            self._keep(b"")
            self.conversation.closed(self.reason)

    def flush_output(self) -> None:
        if self.closed or self._rest:
            return
        data = self.conversation.take_output()
        if data:
            self._send(data)

    def take_more(self, octets: int = 1 << 40) -> None:
        """The peer has read: the kernel has room again."""
        self.room += octets
        if self._rest:
            self._send(self._rest)
            self.flush_output()
        self.world.node.end_step()

    def _send(self, data: bytes) -> None:
        count = min(len(data), self.room)
        self.room -= count
        self.written += data[:count]
        if count:
            self.last_progress = self.world.clock.monotonic()
        if count < len(data):
            if not self._rest:
                self.last_progress = self.world.clock.monotonic()
            self._keep(data[count:])
        else:
            self._keep(b"")
            self.conversation.output_sent()

    def _keep(self, rest: bytes) -> None:
        self.world.node.pressure.output_bytes += len(rest) - len(self._rest)
        self._rest = rest
        if not self.closed:
            self.conversation.output_stuck(len(rest))
