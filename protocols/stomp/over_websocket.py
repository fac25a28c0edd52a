"""STOMP over WebSocket: what `segue.protocols.websocket` is given to carry, found by its entry point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segue.protocols.stomp.server import StompFrontend
from segue.protocols.stomp.session import StompSession

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.protocols.tcp import TcpConnection

__all__ = ["StompOverWebSocket"]


class StompOverWebSocket:
    """A `segue.protocols.websocket.subprotocol.Subprotocol`.

    It has a front-end without listeners: sessions over WebSocket have what those over TCP have, also where there is no
    TCP.
    """

    # RabbitMQ's clients look for `/ws`, ActiveMQ's and Spring's examples for `/stomp`.
    paths: Sequence[str] = ("/ws", "/stomp")
    names: Sequence[str] = ("v12.stomp", "v11.stomp", "v10.stomp")

    def __init__(self, node: Node) -> None:
        self._frontend = StompFrontend()
        self._frontend.configure(node, node.settings.section("stomp"))
        limits = self._frontend.limits
        # The largest frame, and something for who gathers small ones: each frame is measured by itself besides.
        self.message_bytes_max = limits.body_bytes_max + 2 * limits.header_block_bytes_max

    def converse(self, connection: TcpConnection) -> StompSession:
        """See `Subprotocol`."""
        return StompSession(self._frontend, connection)
