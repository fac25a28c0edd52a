"""What is spoken over WebSocket, brought to the paths of the HTTP server where it is found."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from segue.protocols.http import Exchange, Route, Routes
from segue.protocols.http.exchange import plain_error
from segue.protocols.http.origins import AllowedOrigins
from segue.protocols.websocket.conversation import WebSocketConversation
from segue.protocols.websocket.handshake import accept
from segue.protocols.websocket.subprotocol import GROUP

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.settings import Http
    from segue.protocols.tcp import TcpConnection
    from segue.protocols.websocket.subprotocol import Subprotocol

__all__ = ["Door", "mount"]


def mount(node: Node, routes: Routes) -> None:
    """See `segue.protocols.http.server.Mount`."""
    settings = node.settings.section("http")
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        door = Door(node, settings, cast("type[Subprotocol]", point.load())(node))
        for path in door.subprotocol.paths:
            routes.add(Route("GET", path, door.open, plain_error))


class Door:
    """Lets clients in to one subprotocol."""

    def __init__(self, node: Node, settings: Http, subprotocol: Subprotocol) -> None:
        self.subprotocol = subprotocol
        self._node = node
        self._ping_seconds = settings.websocket_ping_seconds
        self._origins = AllowedOrigins(settings.allowed_origins)

    def open(self, exchange: Exchange) -> None:
        """A `Handler`. Raises HttpError: the request is no handshake, or comes from a foreign page."""
        request = exchange.request
        headers = accept(request, self.subprotocol.names)
        self._origins.check(request.headers.get("origin"), request.headers["host"])
        exchange.upgrade(b"websocket", headers, self._converse)

    def _converse(self, connection: TcpConnection) -> WebSocketConversation:
        return WebSocketConversation(self._node, connection, self.subprotocol, self._ping_seconds)
