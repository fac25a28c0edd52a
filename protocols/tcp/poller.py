"""The poller: finds out which connections can be read or written, and lets them."""

from __future__ import annotations

import select
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
                node.store.start()  # the disk starts on the first connection's messages
            node.end_step()

    def close(self) -> None:
        """The last connection is closed."""
        self._epoll.close()
