"""The HTTP front-end: its listeners, what is served there, and what all its connections share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from email.utils import formatdate
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final, Protocol, cast

import trio

from segue import broker
from segue.broker.errors import BrokerError
from segue.protocols.http.codec import Codec
from segue.protocols.http.conversation import HttpConversation
from segue.protocols.http.errors import Header, HttpError
from segue.protocols.http.exchange import TEXT
from segue.protocols.http.failures import plain_text
from segue.protocols.http.head_parsers import head_parser
from segue.protocols.http.hosts import HostNames
from segue.protocols.http.limits import Limits
from segue.protocols.http.origins import AllowedOrigins
from segue.protocols.http.routes import Routes
from segue.protocols.tcp import Listener

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.settings import Http
    from segue.protocols.http.request import Request
    from segue.protocols.tcp import TcpConnection

__all__ = ["GROUP", "HttpFrontend", "Mount"]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110 §9.2.1: they change nothing, and no other page sees the answer."""
GROUP: Final = "segue.http"
"""Entry points of what is served: each is a `Mount`."""


class Mount(Protocol):
    """An interface over HTTP: it adds its routes to the table. Third parties may bring some, as front-ends."""

    def __call__(self, node: Node, routes: Routes) -> None: ...


class HttpFrontend:
    """A `segue.broker.frontends.FrontEnd`.

    Attributes:
        routes: all that is served.
        limits: what a request may measure.
    """

    name = "http"
    settings_section = "http"

    async def serve(self, node: Node, settings: Http, *, task_status: trio.TaskStatus[Sequence[str]]) -> None:
        """See `FrontEnd`."""
        self.configure(node, settings, entry_points(group=GROUP))
        listener = Listener(
            node, self.name, settings.listen, lambda connection: HttpConversation(self, connection), self._refusal
        )
        async with trio.open_nursery() as nursery:
            for service in self.routes.services:
                await nursery.start(service)
            await listener.serve(task_status, node.settings.limits.drain_seconds)
            nursery.cancel_scope.cancel()

    def configure(self, node: Node, settings: Http, mounts: Iterable[EntryPoint]) -> None:
        """Take what all connections share from the settings, and make the table of routes."""
        self.node = node
        self.settings = settings
        self.limits = Limits(
            target_bytes_max=settings.target_bytes_max,
            header_count_max=settings.header_count_max,
            head_bytes_max=settings.head_bytes_max,
            body_bytes_max=node.settings.limits.body_bytes_max,
        )
        self._parse_head = head_parser(settings.parser)
        self._hosts = HostNames(settings.host_names)
        self.origins = AllowedOrigins(settings.allowed_origins)
        self.routes = Routes()
        for point in sorted(mounts, key=lambda point: point.name):
            cast("Mount", point.load())(node, self.routes)
        self._server = f"Segue/{broker.__version__}".encode()
        self._second = 0
        self._common: list[Header] = []

    def new_codec(self) -> Codec:
        """For a new connection."""
        return Codec(self.limits, self._parse_head)

    def check_sender(self, request: Request) -> None:
        """Raises HttpError: the peer takes us for somebody else, or is led by a foreign page: hosts.py, origins.py."""
        host = request.headers.get("host", "")
        self._hosts.check(host)
        if request.method not in _SAFE:
            self.origins.check(request.headers.get("origin"), host)

    def common_headers(self) -> list[Header]:
        """What every answer has."""
        second = self.node.clock.wall.now_ms() // 1000
        if second != self._second:
            self._second = second
            date = formatdate(second, usegmt=True).encode()
            # No page of another site may show an answer in a frame, or take it for what it is not.
            self._common = [
                (b"date", date),
                (b"server", self._server),
                (b"x-content-type-options", b"nosniff"),
                (b"x-frame-options", b"DENY"),
            ]
        return self._common

    def note_failure(self, connection: TcpConnection, failure: HttpError) -> None:
        """A request was refused: the one line about it. What a client may well ask is no event."""
        if failure.closes or failure.status >= 500:
            self.node.log.warning(
                "request.refused",
                protocol="http",
                peer=connection.peer,
                status=failure.status,
                code=failure.code,
                reason=str(failure),
            )

    def _refusal(self, failure: BrokerError) -> bytes:
        """What somebody gets instead of a connection."""
        body = plain_text(HttpError(503, failure.code, str(failure)))
        headers = [(b"content-type", TEXT), (b"retry-after", b"1"), (b"connection", b"close")]
        return self.new_codec().answer(503, [*headers, *self.common_headers()], body)
