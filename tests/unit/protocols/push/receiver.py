"""A server that answers as a test says, on a real socket; and resolvers that lead to it, or elsewhere."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from socket import AF_INET, AF_INET6
from typing import TypeAlias

import h11
import trio

from segue.protocols.push.resolver import Endpoint

__all__ = ["OK", "Receiver", "receiver", "resolver_of"]

Answer: TypeAlias = bytes | Callable[[trio.abc.Stream], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Receiver:
    """What it has received.

    Attributes:
        port: of its address.
        connections: how many were made.
        requests: their methods, targets, headers and bodies.
        answer: what is sent, or what is given each connection's stream and sends.
        reads: the request is read before.
    """

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None, *, reads: bool) -> None:
        self.answer = answer
        self.reads = reads
        self.tls = tls
        self.port = 0
        self.connections = 0
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

    async def serve(self, accepted: trio.SocketStream) -> None:
        self.connections += 1
        stream: trio.abc.Stream = accepted
        if self.tls is not None:
            stream = trio.SSLStream(accepted, self.tls, server_side=True, https_compatible=True)
        async with stream:
            try:
                if self.reads:
                    await self._read(stream)
                if isinstance(self.answer, bytes):
                    await stream.send_all(self.answer)
                else:
                    await self.answer(stream)
            except trio.BrokenResourceError:
                pass  # the client had reason to leave

    async def _read(self, stream: trio.abc.Stream) -> None:
        connection = h11.Connection(h11.SERVER)
        request, body = None, b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(bytes(await stream.receive_some(1 << 16)))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                return  # it has left
        assert request is not None
        headers = {name.decode(): value.decode() for name, value in request.headers}
        self.requests.append((request.method.decode(), request.target.decode(), headers, body))


@asynccontextmanager
async def receiver(
    answer: Answer = OK,
    tls: ssl.SSLContext | None = None,
    *,
    reads: bool = True,
    address: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Receiver]:
    """Serve until the block ends."""
    found = Receiver(answer, tls, reads=reads)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(port, host=address)
        found.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, found.serve, listeners)
        yield found
        nursery.cancel_scope.cancel()


def resolver_of(*answers: list[str]) -> Callable[[str, int], Awaitable[list[Endpoint]]]:
    """A resolver that gives these addresses, one answer after the other, and has none after the last."""
    left = list(answers)

    async def resolve(_host: str, port: int) -> list[Endpoint]:
        await trio.lowlevel.checkpoint()
        if not left:
            raise AssertionError("there is no further look-up")
        return [_endpoint(address, port) for address in left.pop(0)]

    return resolve


def _endpoint(address: str, port: int) -> Endpoint:
    if ip_address(address).version == 4:
        return Endpoint(AF_INET, (address, port))
    return Endpoint(AF_INET6, (address, port, 0, 0))
