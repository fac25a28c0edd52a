"""A message on its way to subscribers, and the request that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from segue.protocols.push.options import Subscriber
from segue.protocols.push.signing import signed_headers

__all__ = ["PushMessage", "request_headers"]

_DEFAULTS: Final = {"User-Agent": "IronMQ Pusherd", "Content-Type": "text/plain; encoding=utf-8"}
"""IronMQ's, also the word `encoding`, where HTTP has `charset`: subscribers may look for just that."""


@dataclass(frozen=True, slots=True)
class PushMessage:
    """What is pushed.

    Attributes:
        id: what clients call it.
        body: of each request, as it is.
        headers: that its sender wants each request to have.
    """

    id: str
    body: bytes
    headers: Mapping[str, str]


def request_headers(
    message: PushMessage, subscriber: Subscriber, reservation_id: str, acknowledge_url: str, seconds: int
) -> dict[str, str]:
    """The headers of one push. Those of the message come before the subscriber's, and ours before all.

    Args:
        message: what is pushed.
        subscriber: to whom.
        reservation_id: by which it may acknowledge.
        acknowledge_url: where.
        seconds: now, since 1970.
    """
    ours = {
        "Iron-Message-Id": message.id,
        "Iron-Reservation-Id": reservation_id,
        "Iron-Subscriber-Name": subscriber.name,
        "Iron-Subscriber-Message-Url": acknowledge_url,
    }
    if subscriber.keys:
        ours |= signed_headers(subscriber.keys, message.id, seconds, message.body)
    merged: dict[str, tuple[str, str]] = {}
    for headers in (_DEFAULTS, subscriber.headers, message.headers, ours):
        merged |= {name.lower(): (name, value) for name, value in headers.items()}
    return dict(merged.values())
