"""A stored message as it is shown: its headers, and its body as text, or in base64 where it is none."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from segue.broker.clock import SteadyClock
from segue.broker.headers import read_headers
from segue.broker.message import PERSISTENT, decode

__all__ = ["MessageView", "view"]


class MessageView(msgspec.Struct, omit_defaults=True):
    """A message."""

    id: Annotated[str, Meta(description="What it is called for as long as it is there, by every protocol.")]
    accepted_ms: Annotated[int, Meta(description="When the broker took it: milliseconds since 1970.")]
    deliveries: Annotated[int, Meta(description="How often it was given to a consumer, this time included.")]
    headers: dict[str, str]
    body: Annotated[str, Meta(description="The body, if it is text in UTF-8.")] = ""
    body_base64: Annotated[bytes | None, Meta(description="Else the body.")] = None
    expires_ms: Annotated[int, Meta(description="When it expires; left out: never.")] = 0
    persistent: bool = True


def view(message_id: str, record: bytes, deliveries: int, clock: SteadyClock) -> MessageView:
    """A record as it is shown."""
    message = decode(record)
    shown = MessageView(
        id=message_id,
        accepted_ms=clock.on_wall(message.accepted_ms),
        deliveries=deliveries,
        headers=dict(reversed(read_headers(message.headers))),  # of repeated ones the first counts
        expires_ms=message.expires_ms and clock.on_wall(message.expires_ms),
        persistent=bool(message.flags & PERSISTENT),
    )
    try:
        shown.body = message.body.decode()
    except UnicodeDecodeError:
        shown.body_base64 = message.body
    return shown
