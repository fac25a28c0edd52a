r"""A message as operators see and write it, and the header block of a record: text to bytes and back. No I/O.

A record's headers are those of a STOMP 1.2 MESSAGE: lines `name:value`, each ended by LF, with `\n`, `\c`, `\\` and
`\r` for line feed, colon, backslash and carriage return, then `content-length` and a blank line (docs/formats/
record.md). A message that is published here is the same, octet for octet, as one that a STOMP client sends.
"""

from __future__ import annotations

import base64
import codecs
from collections.abc import Iterable
from typing import Any, Final

from segue.broker import headers as stored
from segue.broker.header_text import unescape

__all__ = ["ARGUMENTS", "FOR_CLIENTS", "RESERVED_HEADERS", "header_block", "read_headers", "show_body"]

RESERVED_HEADERS: Final = frozenset(
    {
        *("ack", "browser", "content-length", "destination", "message-id", "persistent", "receipt", "receipt-id"),
        *("redelivered", "retained-topic", "subscription", "transaction", "x-delivery-count"),
    }
)
"""The broker's own words."""
ARGUMENTS: Final = {
    **dict.fromkeys(("delay", "x-delay", "AMQ_SCHEDULED_DELAY"), "delay_ms"),
    **dict.fromkeys(("deliver-at", "AMQ_SCHEDULED_TIME", "_AMQ_SCHED_DELIVERY"), "deliver_at_ms"),
    **dict.fromkeys(("expiration", "expires"), "ttl_ms"),
    **dict.fromkeys(("dedup-id", "_AMQ_DUPL_ID"), "dedup_id"),
    **dict.fromkeys(("JMSXGroupID", "_AMQ_GROUP_ID"), "group"),
    "priority": "priority",
}
"""Headers of STOMP's SEND that are obeyed there, and are arguments of `queue.publish` here."""
FOR_CLIENTS: Final = frozenset(
    {
        *("AMQ_SCHEDULED_CRON", "AMQ_SCHEDULED_PERIOD", "AMQ_SCHEDULED_REPEAT"),
        *("producer-name", "retain", "sequence-id"),
    }
)
"""Headers that are obeyed there, and can't be here."""


def header_block(
    destination: str,
    headers: Iterable[tuple[str, str]],
    body_length: int,
    said_by_arguments: Iterable[tuple[str, str]] = (),
) -> bytes:
    """The headers of a record.

    Raises:
        ValueError: a name is empty, reserved, or stands there twice; or it is for an argument to say.
    """
    lines = [("destination", destination), *said_by_arguments]
    seen = set()
    for name, value in headers:
        if not name:
            raise ValueError("a header has no name")
        if name in RESERVED_HEADERS:
            raise ValueError(f"the header '{name}' is the broker's: it can't be set")
        if name in FOR_CLIENTS:
            raise ValueError(f"the header '{name}' is for clients: this command can't do what it says")
        if name in ARGUMENTS:
            flag = ARGUMENTS[name].removesuffix("_ms").replace("_", "-")
            raise ValueError(f"the header '{name}' is what '{ARGUMENTS[name]}' says (--{flag})")
        if name in seen:
            raise ValueError(f"the header '{name}' is there twice: consumers would see the first only")
        seen.add(name)
        lines.append((name, value))
    return stored.header_block(lines, body_length)


def read_headers(block: bytes) -> list[list[str]]:
    """Name and value of each header, without `content-length`."""
    headers = []
    for line in block.decode("utf-8", "backslashreplace").split("\n"):
        name, colon, value = line.partition(":")
        if colon and name != "content-length":
            headers.append([unescape(name), unescape(value)])
    return headers


def show_body(body: bytes, bytes_max: int) -> dict[str, Any]:
    """A body, or its beginning: as text where it is UTF-8, else in base64."""
    shown = body[:bytes_max]
    fields: dict[str, Any] = {"body_bytes": len(body), "body_cut": len(shown) < len(body)}
    text = _as_text(shown, is_cut=fields["body_cut"])
    if text is not None:
        fields["body"] = text
    else:
        fields["body_base64"] = base64.b64encode(shown).decode()
    return fields


def _as_text(body: bytes, *, is_cut: bool) -> str | None:
    try:
        # What a cut leaves of a character is held back by the decoder.
        return codecs.getincrementaldecoder("utf-8")().decode(body, final=not is_cut)
    except UnicodeDecodeError:
        return None
