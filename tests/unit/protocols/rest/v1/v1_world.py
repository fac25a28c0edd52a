"""A node with the API in front of it, and a client on this machine."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from segue.broker.settings import Http
from segue.protocols.http.server import HttpFrontend
from segue.protocols.rest.v1.table import mount
from segue.protocols.tcp import TcpConnection
from tests.helpers.http_client import request
from tests.unit.protocols.http.http_world import HttpWorld
from tests.unit.protocols.rest.v1.description import check_described

__all__ = ["Answer", "V1World"]

GUEST = "Authorization: Basic " + base64.b64encode(b"guest:guest").decode()


class Answer(NamedTuple):
    """What came back: its body is None where there is none."""

    status: int
    body: Any
    head: str


class _Frontend(HttpFrontend):
    """Without a listener."""

    def authenticated(self, connection: TcpConnection) -> None: ...


class V1World(HttpWorld):
    """See the module."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.frontend = _Frontend()
        self.frontend.configure(self.node, Http(), ())
        mount(self.node, self.frontend.routes)
        self.connection = self.connect()
        self.conversation = self.connection.conversation
        self._asked = "GET", "/v1"

    def ask(self, method: str, path: str, body: object = None, *lines: str) -> Answer:
        """Send a request, and hear its answer, which has to come now."""
        self.send(method, path, body, *lines)
        return self.answer()

    def send(self, method: str, path: str, body: object = None, *lines: str, settled: bool = True) -> None:
        """Send a request: octets as they are, anything else as JSON. `settled`: what it does is on disk then."""
        octets = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if octets and not any(line.lower().startswith("content-type:") for line in lines):
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            lines = (*lines, f"Content-Type: {kind}")
        self._asked = method, path
        self.conversation.receive(request(path, GUEST, *lines, method=method, body=octets))
        if settled:
            self.settle_down()

    def answer(self) -> Answer:
        """The answer that has come; it is one that the description of the API knows."""
        self.settle_down()
        head, _, body = bytes(self.connection.written).partition(b"\r\n\r\n")
        self.connection.written.clear()
        assert head.startswith(b"HTTP/1.1 "), head
        answer = Answer(int(head[9:12]), json.loads(body) if body else None, head.decode("latin-1").lower())
        check_described(*self._asked, answer.status, answer.body)
        return answer
