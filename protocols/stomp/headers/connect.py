"""What the headers of CONNECT ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segue.protocols.stomp.frames import Version, negotiate
from segue.protocols.stomp.heart_beat import read_heart_beat

__all__ = ["ConnectOptions", "read_connect"]


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What a CONNECT asks for.

    Attributes:
        version: the highest that both sides speak.
        host: the virtual host, or the name of a TCP host, or None: clients do as they please.
        login: the user's name.
        passcode: the password.
        heart_beat: milliseconds: what the client guarantees to send at, what it wants to receive at; 0 is "not at all".
        client_id: whose durable subscriptions are meant (ActiveMQ, Artemis).
        request_id: to be answered as `response-id` (ActiveMQ).
    """

    version: Version
    host: str | None
    login: str | None
    passcode: str | None
    heart_beat: tuple[int, int]
    client_id: str | None
    request_id: str | None


def read_connect(headers: Mapping[str, str]) -> ConnectOptions:
    """Read a CONNECT or STOMP frame.

    Raises:
        StompProtocolError: VERSION_MISMATCH or BAD_HEART_BEAT.
    """
    return ConnectOptions(
        version=negotiate(headers.get("accept-version")),
        host=headers.get("host"),
        login=headers.get("login"),
        passcode=headers.get("passcode"),
        heart_beat=read_heart_beat(headers.get("heart-beat")),
        client_id=headers.get("client-id"),
        request_id=headers.get("request-id"),
    )
