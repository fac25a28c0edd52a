"""One message as this gateway writes and shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from segue.broker.by_number import whereabouts
from segue.broker.header_text import escape
from segue.broker.message import encode, headers_end, prefix
from segue.broker.queue import Queue
from segue.broker.redelivery import deliveries_with
from segue.protocols.rest.ironmq.message_id import ID_HEADER, id_of, stored_digits

__all__ = ["PUSH_HEADERS", "RecordMaker", "reserved_count", "show_body", "show_message"]

PUSH_HEADERS: Final = "iron-push-headers"
"""Headers that a push of this message has, a JSON object."""
_DIED_AFTER: Final = b"\ndead-letter-deliveries:"


class RecordMaker:
    """Makes the records of the messages of one request for one queue.

    What their headers have in common stands in front, so its checksum is made once for each length of the rest.
    """

    def __init__(self, queue_name: str, visible_ms: int) -> None:
        """`visible_ms`: when they are accepted, or can be had."""
        self._start = f"destination:{escape('/queue/' + queue_name)}\n{ID_HEADER}:".encode()
        self._visible_ms = visible_ms
        self._commons: dict[int, tuple[bytes, int]] = {}

    def record(self, message_id: str, body: bytes, push_headers: Mapping[str, str] | None = None) -> bytes:
        """A new message."""
        more = _header_line(push_headers) if push_headers else b""
        headers = b"%b\n%bcontent-length:%d\n\n" % (message_id.encode(), more, len(body))
        return encode(*(self._commons.get(len(headers)) or self._common(len(headers))), headers + body)

    def records(self, message_ids: Sequence[str], bodies: Sequence[bytes]) -> list[bytes]:
        """As `record`, of many that have nothing else: the loop that most messages come by."""
        known, records = self._commons.get, []
        for message_id, body in zip(message_ids, bodies, strict=True):
            headers = b"%b\ncontent-length:%d\n\n" % (message_id.encode(), len(body))
            common, crc = known(len(headers)) or self._common(len(headers))
            records.append(encode(common, crc, headers + body))
        return records

    def _common(self, length: int) -> tuple[bytes, int]:
        common = self._commons[length] = prefix(self._visible_ms, self._start, headers_more=length)
        return common


def _header_line(push_headers: Mapping[str, str]) -> bytes:
    return f"{PUSH_HEADERS}:{escape(msgspec.json.encode(push_headers).decode())}\n".encode()


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
    died_after = stored_digits(record, _DIED_AFTER)
    count = deliveries_with(record, deliveries)
    return count + int(died_after) if died_after else count
