"""STOMP sessions without sockets: a connection whose kernel takes as much as the test says, and a client's verbs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from segue.protocols.stomp.server import StompFrontend
from segue.protocols.stomp.session import StompSession
from tests.helpers.stomp_frames import Frame, FrameReader, encode_frame
from tests.unit.broker.actors import World
from tests.unit.protocols.tcp.fake_connection import FakeConnection

__all__ = ["Client", "StompWorld"]


class Client:
    """The other end of a connection. What it says is processed, on disk and answered when the call returns."""

    def __init__(self, world: StompWorld, peer: str = "127.0.0.1:1") -> None:
        self.world = world
        self.connection = FakeConnection(world, peer, lambda connection: StompSession(world.frontend, connection))
        self.stomp: StompSession = self.connection.conversation
        self.reader = FrameReader()
        self._read = 0

    def say(self, *frames: bytes) -> None:
        """One read with these frames, and what follows from it."""
        self.say_now(*frames)
        self.world.settle_down()

    def say_now(self, *frames: bytes) -> None:
        """One read; nothing is on disk yet."""
        self.connection.last_received = self.world.clock.monotonic()
        self.stomp.receive(b"".join(frames))
        self.world.node.end_step()

    def connect(self, version: str = "1.2", **headers: str) -> Client:
        """Log in as guest."""
        fields = {"accept-version": version, "host": "/", "login": "guest", "passcode": "guest"}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        self.reader.version = version
        self.say(encode_frame("CONNECT", fields.items()))
        (frame,) = self.frames()
        assert frame.command == "CONNECTED"
        return self

    def frames(self) -> list[Frame]:
        """What has come since the last call."""
        data = bytes(self.connection.written[self._read :])
        self._read = len(self.connection.written)
        return list(self.reader.feed(data))

    def commands(self) -> list[str]:
        """The same in short: RECEIPTs with their ids, MESSAGEs with their bodies, ERRORs with their codes."""
        return [_short(frame) for frame in self.frames()]

    def bodies(self) -> list[str]:
        """The bodies of the messages that have come; nothing else has."""
        frames = self.frames()
        assert {frame.command for frame in frames} <= {"MESSAGE"}, frames
        return [frame.body.decode() for frame in frames]

    def error(self) -> str:
        """The code of the ERROR that has come last, and with which the connection is over."""
        frame = self.frames()[-1]
        assert frame.command == "ERROR", frame
        assert self.stomp.finished
        return frame["error-code"]

    def hang_up(self) -> None:
        """The connection is gone without a word."""
        self.connection.abandon("closed by the peer")
        self.world.settle_down()


class StompWorld(World):
    """A node with a STOMP front-end."""

    def __init__(self, *, dialect: str = "segue", **more: Any) -> None:
        super().__init__(**more)
        self.frontend = StompFrontend(random_bytes=bytes)  # the first subscription is number 1
        self.frontend.configure(self.node, replace(self.settings.stomp, dialect=dialect))

    def client(self, version: str = "1.2", **headers: str) -> Client:
        return Client(self).connect(version, **headers)

    def stranger(self, peer: str = "127.0.0.1:1") -> Client:
        """Somebody who has not logged in."""
        return Client(self, peer)


def _short(frame: Frame) -> str:
    match frame.command:
        case "RECEIPT":
            return f"RECEIPT {frame['receipt-id']}"
        case "MESSAGE":
            return f"MESSAGE {frame.body.decode()}"
        case "ERROR":
            return f"ERROR {frame['error-code']}"
    return frame.command
