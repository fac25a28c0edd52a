"""An HTTP client that sends what it is told, octet by octet, and reads answers by the standard library."""

from __future__ import annotations

import http.client
import socket
from typing import NamedTuple

__all__ = ["Answer", "HttpClient", "request"]


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class HttpClient:
    """One connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._input = connected.makefile("rb")

    def send(self, wire: bytes) -> None:
        self.socket.sendall(wire)

    def answer(self, method: str = "GET") -> Answer:
        """The next one."""
        response = http.client.HTTPResponse(self, method=method)  # type: ignore[arg-type]
        response.begin()
        return Answer(response.status, response.headers, response.read())

    def ask(self, wire: bytes, method: str = "GET") -> Answer:
        self.send(wire)
        return self.answer(method)

    def rest(self) -> bytes:
        """All that comes until the server closes its side."""
        return self._input.read()

    def is_closed(self) -> bool:
        """The server has closed its side, and nothing came before that."""
        try:
            return self._input.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._input.close()  # or the socket stays open for it
        self.socket.close()

    def makefile(self, mode: str) -> object:
        """What `HTTPResponse` asks of a socket: it closes what it is given."""
        return _Unclosed(self._input)


class _Unclosed:
    def __init__(self, file: object) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return (lambda: None) if name == "close" else getattr(self._file, name)


def request(path: str, *lines: str, method: str = "GET", body: bytes = b"", host: str = "localhost") -> bytes:
    length = [f"Content-Length: {len(body)}"] if body else []
    head = "".join([f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", f"Host: {host}", *length, *lines)])
    return head.encode() + b"\r\n" + body
