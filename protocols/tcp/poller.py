"""The poller: finds out which connections can be read or written, and lets them."""

from __future__ import annotations

import select
from time import perf_counter
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.protocols.tcp.connection import TcpConnection

__all__ = ["Poller"]

_ROUND_MAX: Final = 64
"""Connections handled before deliveries and receipts of others get their turn."""
_ROUND_BYTES: Final = 256 << 10
"""Octets read before every other task gets its turn: some 4 ms of work."""
_LOOK_SECONDS: Final = 80e-6
"""How long the poller looks for the answer to what it has just confirmed."""
_TURN_SECONDS: Final = 0.002
"""How long it does so without a turn for other tasks."""
_CREDIT_MAX: Final = 8
_MISS_COSTS: Final = 4
"""A look that finds something earns 1, one that doesn't costs this; without credit there is none for a while."""
_REST_ROUNDS: Final = 64


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
        self._credit = 1

    def register(self, descriptor: int, connection: TcpConnection) -> None:
        """Begin to read from a connection."""
        self._epoll.register(descriptor, select.EPOLLIN)
        self._connections[descriptor] = connection

    def modify(self, descriptor: int, mask: int) -> None:
        """What to look for."""
        self._epoll.modify(descriptor, mask)

    def unregister(self, descriptor: int) -> None:
        """The connection is about to be closed."""
        del self._connections[descriptor]
        self._epoll.unregister(descriptor)

    async def serve(self) -> None:
        """Handle what is ready until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            await self._handle(self._epoll.poll(0, _ROUND_MAX))
            if self._credit <= 0:
                self._credit += 1
            elif self._node.store.idle:
                await self._look_again()

    async def _look_again(self) -> None:
        """Handle what comes within a moment, before the scheduler puts the thread to sleep.

        Who sends one message at a time answers a confirmation at once. To sleep and be woken costs him 40 µs more
        than this wait, and us as much CPU. It is done only as long as it pays: see `_MISS_COSTS`.
        """
        now = perf_counter()
        end_of_turn = now + _TURN_SECONDS
        until = now + _LOOK_SECONDS
        while now < until:
            if found := self._epoll.poll(0, _ROUND_MAX):
                await self._handle(found)
                self._credit = min(self._credit + 1, _CREDIT_MAX)
                until = min(perf_counter() + _LOOK_SECONDS, end_of_turn) if self._node.store.idle else 0.0
            now = perf_counter()
        if 0.0 < until < end_of_turn:
            self._credit -= _MISS_COSTS
            if self._credit <= 0:
                self._credit = -_REST_ROUNDS

    async def _handle(self, found: list[tuple[int, int]]) -> None:
        node, connections = self._node, self._connections
        spent = 0
        for descriptor, mask in found:
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
            node.store.start()  # the disk starts on the first connection's messages
        node.end_step()

    def close(self) -> None:
        """The last connection is closed."""
        self._epoll.close()
