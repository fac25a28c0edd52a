"""Deadlines of connections: login, heart-beats, stalled writes, lingering closes."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.protocols.tcp.connection import TcpConnection

__all__ = ["Deadlines"]

_STALE_MAX: Final = 1024
"""Numbers of connections that are gone, before the heap is made anew."""


class Deadlines:
    """One heap and one task for the deadlines of all connections."""

    def __init__(self, node: Node) -> None:
        self._node = node
        # The heap holds numbers: a connection that is closed must not be kept alive until its deadline.
        self._heap: list[tuple[float, int]] = []
        self._waiting: dict[int, TcpConnection] = {}
        self._number = 0
        self._earlier = trio.Event()

    def put(self, connection: TcpConnection, at: float) -> None:
        """Look at a connection at this moment, unless it is looked at before that anyway."""
        if at >= connection.deadline_at or at == math.inf:
            return
        self.remove(connection)
        self._number += 1
        connection.deadline_at, connection.deadline_number = at, self._number
        self._waiting[self._number] = connection
        heapq.heappush(self._heap, (at, self._number))
        if self._heap[0][1] == self._number:
            self._earlier.set()

    def remove(self, connection: TcpConnection) -> None:
        """Look at it no more."""
        self._waiting.pop(connection.deadline_number, None)
        if len(self._heap) > 2 * len(self._waiting) + _STALE_MAX:
            self._heap = [entry for entry in self._heap if entry[1] in self._waiting]
            heapq.heapify(self._heap)

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
            connection = self._waiting.pop(heapq.heappop(self._heap)[1], None)
            if connection is not None:
                connection.deadline_at = math.inf
                try:
                    self.put(connection, connection.look_at_deadline(now))
                except Exception as error:  # noqa: BLE001 - a fault of ours costs one connection
                    self._node.log.crash("internal.error", error, peer=connection.peer)
                    connection.abandon("internal error")
        self._node.end_step()
