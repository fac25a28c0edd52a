"""A node, the HTTP front-end, and a connection without a socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from segue.broker.settings import Http
from segue.protocols.http import Exchange, Route
from segue.protocols.http.conversation import HttpConversation
from segue.protocols.http.exchange import plain_error
from segue.protocols.http.server import HttpFrontend
from tests.helpers.http_client import request
from tests.unit.broker.actors import World
from tests.unit.protocols.tcp.fake_connection import FakeConnection

__all__ = ["HttpWorld", "post"]


class HttpWorld(World):
    """A node, a front-end that serves two paths, and a connection to it.

    Attributes:
        exchanges: what the handler was given, and has not answered.
        handler: what it does with each.
        nursery: for tests of tasks.
    """

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.exchanges: list[Exchange] = []
        self.handler: Callable[[Exchange], None] = self.exchanges.append
        self.nursery: trio.Nursery
        self.frontend = HttpFrontend()
        self.frontend.configure(self.node, replace(Http(), body_seconds=20), ())
        for path, in_pieces in (("/a/{b}", False), ("/stream", True)):
            self.frontend.routes.add(Route("POST", path, self._handle, plain_error, body_in_pieces=in_pieces))
            self.frontend.routes.add(Route("GET", path, self._handle, plain_error))
        self.connection = self.connect()
        self.conversation: HttpConversation = self.connection.conversation

    def _handle(self, exchange: Exchange) -> None:
        self.handler(exchange)

    def connect(self) -> FakeConnection:
        return FakeConnection(self, "127.0.0.1:1", lambda one: HttpConversation(self.frontend, one))

    def say(self, wire: bytes) -> None:
        self.connection.last_received = self.clock.monotonic()
        self.conversation.receive(wire)
        self.settle_down()

    async def run_tasks(self) -> None:
        """Run what was started beside the connection until nothing goes on without the peer."""
        self.settle_down()
        started, self.connection.tasks = self.connection.tasks, []
        for task in started:
            self.nursery.start_soon(task)
        await wait_all_tasks_blocked()
        self.settle_down()

    def heard(self) -> list[bytes]:
        """The status and the body of each answer since the last call."""
        answers = bytes(self.connection.written).split(b"HTTP/1.1 ")[1:]
        self.connection.written.clear()
        return [answer[:3] + b" " + answer.partition(b"\r\n\r\n")[2] for answer in answers]


def post(body: bytes, *lines: str) -> bytes:
    return request("/a/b%20c", *lines, method="POST", body=body)
