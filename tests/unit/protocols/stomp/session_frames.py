"""Frames for the tests of a session, as a client would write them."""

from __future__ import annotations

from typing import Any

from tests.helpers.stomp_frames import encode_frame
from tests.unit.protocols.stomp.actors import Client


def frame(command: str, body: bytes = b"", **headers: Any) -> bytes:
    """A frame; `_` in the name of a header stands for `-`."""
    return encode_frame(command, [(name.replace("_", "-"), str(value)) for name, value in headers.items()], body)


def send(body: str, destination: str = "/queue/q", **headers: Any) -> bytes:
    return frame("SEND", body.encode(), destination=destination, **headers)


def subscribe(destination: str = "/queue/q", id: str = "s", ack: str = "client-individual", **headers: Any) -> bytes:
    return frame("SUBSCRIBE", destination=destination, id=id, ack=ack, **headers)


def ack(number: int, *, subscription: int = 1, command: str = "ACK", **headers: Any) -> bytes:
    return frame(command, id=f"{subscription}-{number}", **headers)


def deadline(client: Client) -> str:
    reason = client.stomp.deadline(client.world.clock.monotonic())
    client.world.settle_down()
    return reason
