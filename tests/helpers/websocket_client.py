"""A WebSocket client on wsproto's client side: frames as a test wants them, and what the server says to that."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from tests.helpers.stomp_frames import Frame, FrameReader, encode_frame

__all__ = ["Refused", "WebSocketClient"]

_SUBPROTOCOLS: Final = ("v10.stomp", "v11.stomp", "v12.stomp")


class Refused(Exception):
    """The server does not switch to WebSocket."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class WebSocketClient:
    """One connection: over it goes STOMP.

    Attributes:
        accepted: how the server has answered the handshake.
        messages: what has come, message by message, and has not been asked for.
        pongs: the payloads of pongs that have come.
        pings: how many have come.
        answers_pings: pings are answered, as they have to be.
        closing: the server's Close.
    """

    def __init__(
        self,
        connected: socket.socket,
        path: str = "/ws",
        *,
        host: str = "localhost",
        origin: str | None = None,
        subprotocols: Iterable[str] = _SUBPROTOCOLS,
        behind: bytes = b"",
    ) -> None:
        """`behind`: octets that leave with the handshake, without waiting for its answer."""
        self.socket = connected
        self.wsproto = WSConnection(ConnectionType.CLIENT)
        self.messages: list[bytes | str] = []
        self.pongs: list[bytes] = []
        self.pings = 0
        self.answers_pings = True
        self.closing: CloseConnection | None = None
        self.accepted: AcceptConnection | None = None
        self._parts: list[bytes] = []
        self._reader = FrameReader()
        self._frames: list[Frame] = []
        headers = [] if origin is None else [(b"Origin", origin.encode())]
        request = Request(host=host, target=path, subprotocols=list(subprotocols), extra_headers=headers)
        self.socket.sendall(self.wsproto.send(request) + behind)
        while self.accepted is None:
            self.receive()

    # What is said

    def write(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def say(self, event: Event) -> None:
        self.write(self.wsproto.send(event))

    def send(self, *messages: bytes | str) -> None:
        """Each of these as one message of one frame."""
        self.write(b"".join([self.wsproto.send(_message(message)) for message in messages]))

    def send_frame(self, command: str, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        """One frame of STOMP, as one binary message."""
        self.send(encode_frame(command, (headers or {}).items(), body))

    def connect(self, **headers: str) -> Frame:
        """Log in over STOMP."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        login = {"accept-version": "1.2", "host": "/", "login": "guest", "passcode": "guest"} | named
        self.send_frame("CONNECT", login)
        return self.frame("CONNECTED")

    # What is heard

    def receive(self) -> None:
        """Wait for something. Raises ConnectionError when the server has closed the connection."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("closed by the server")
        self.wsproto.receive_data(data)
        for event in self.wsproto.events():
            self._take(event)

    def message(self) -> bytes | str:
        """The next message, whole."""
        while not self.messages:
            self.receive()
        return self.messages.pop(0)

    def frame(self, command: str | None = None) -> Frame:
        """The next frame of STOMP; heart-beats are passed over."""
        while not self._frames:
            message = self.message()
            self._frames += self._reader.feed(message.encode() if isinstance(message, str) else message)
        frame = self._frames.pop(0)
        assert command in (None, frame.command), frame
        return frame

    def expect_ping(self) -> None:
        """Wait for one that has not come yet."""
        seen = self.pings
        while self.pings == seen:
            self.receive()

    def expect_close(self) -> int:
        """The code of the server's Close; behind it the server has closed its side of the connection."""
        while self.closing is None:
            self.receive()
        assert self.socket.recv(1 << 16) == b""
        return self.closing.code

    def close(self) -> None:
        self.socket.close()

    def _take(self, event: Event) -> None:
        if isinstance(event, RejectConnection):
            raise Refused(event.status_code)
        if isinstance(event, AcceptConnection):
            self.accepted = event
        elif isinstance(event, Message):
            self._parts.append(event.data)
            if event.message_finished:
                joined: bytes | str = self._parts[0][:0].join(self._parts)
                self.messages.append(joined)
                self._parts.clear()
        elif isinstance(event, Pong):
            self.pongs.append(bytes(event.payload))
        elif isinstance(event, Ping):
            self.pings += 1
            if self.answers_pings:
                self.say(event.response())
        elif isinstance(event, CloseConnection):
            self.closing = event


def _message(message: bytes | str) -> Event:
    return TextMessage(message) if isinstance(message, str) else BytesMessage(message)
