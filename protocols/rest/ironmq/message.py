"""One message as this gateway writes and shows it."""

from __future__ import annotations

from typing import Any, Final

from segue.broker.by_number import whereabouts
from segue.broker.headers import Headers
from segue.broker.message import encode, headers_end, prefix
from segue.broker.queue import Queue
from segue.broker.redelivery import deliveries_with
from segue.protocols.rest.ironmq.message_id import ID_HEADER, id_of

__all__ = ["PUSH_HEADERS", "record_for", "reserved_count", "show_body", "show_message"]

PUSH_HEADERS: Final = "iron-push-headers"
"""Headers that a push of this message has, a JSON object."""
_DIED_AFTER: Final = "dead-letter-deliveries"


def record_for(now_ms: int, start: bytes, message_id: str, more: bytes, body: bytes) -> bytes:
    """A new message.

    Args:
        now_ms: when it was accepted, or can be had.
        start: what the headers of all messages for this queue begin with.
        message_id: what it is called.
        more: further headers, in a record's form; each line ends with LF.
        body: as it was sent.
    """
    block = b"%b%b:%b\n%bcontent-length:%d\n\n" % (start, _ID_NAME, message_id.encode(), more, len(body))
    return encode(*prefix(now_ms, block), body)


def show_message(queue: Queue, number: int, record: bytes, deliveries: int | None = None) -> dict[str, Any]:
    """A message as answers have it; `deliveries`: so far, None for as many as the queue knows of."""
    if deliveries is None:
        deliveries = whereabouts(queue, number).deliveries
    return {
        "id": id_of(queue, number, record),
        "body": show_body(record),
        "reserved_count": reserved_count(record, deliveries),
    }


def show_body(record: bytes) -> str:
    """A body as text. Octets that are none, which other protocols can send, are replaced: JSON has no word for them."""
    return record[headers_end(record) :].decode(errors="replace")


def reserved_count(record: bytes, deliveries: int) -> int:
    """How often it was reserved, in the queue that it died in, too."""
    died_after = Headers(record).get(_DIED_AFTER) or ""
    before = int(died_after) if died_after.isascii() and died_after.isdigit() and len(died_after) < 10 else 0
    return before + deliveries_with(record, deliveries)


_ID_NAME: Final = ID_HEADER.encode()
