"""Messages as publishers write them in JSON, and as the headers of a raw body say them; made into the broker's."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from segue.broker.message_headers import InvalidHeaderError, header_lines
from segue.broker.publication import NewMessage
from segue.broker.queue_options import PRIORITY_MAX
from segue.broker.schedule.delayed import When
from segue.protocols.rest.json_body import BodyError

__all__ = ["HEADER_PREFIX", "MESSAGES_MAX", "Handling", "JsonMessage", "MessageReader"]

MESSAGES_MAX: Final = 1000
"""In one request: all of them are published in one step, in which nobody else has his turn."""
HEADER_PREFIX: Final = "segue-header-"
"""In front of the names of a message's own headers, where the message is the body of a request."""
_CENTURY_MS: Final = 100 * 36525 * 864_000
_TIME_MS_MAX: Final = 253_402_300_799_999
"""The end of the year 9999."""


class Handling(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be done with a message."""

    priority: (
        Annotated[int, Meta(ge=0, le=PRIORITY_MAX, description="Higher ones first, in queues with `priority_max`.")]
        | UnsetType
    ) = UNSET
    group: Annotated[str, Meta(description="Messages of one group are out with one consumer at a time.")] = ""
    ttl_ms: Annotated[
        int, Meta(ge=0, le=_CENTURY_MS, description="It expires so long after it can be had; 0: never.")
    ] = 0
    delay_ms: Annotated[int, Meta(ge=0, le=_CENTURY_MS, description="It can be had so much later.")] = 0
    deliver_at_ms: (
        Annotated[int, Meta(ge=0, le=_TIME_MS_MAX, description="It can be had from then on: milliseconds since 1970.")]
        | UnsetType
    ) = UNSET
    persistent: Annotated[bool, Meta(description="False: a crash may lose it.")] = True


class JsonMessage(Handling, kw_only=True):
    """A message. It has one body at most: text, octets or JSON."""

    body: Annotated[str | UnsetType, Meta(description="Text; stored in UTF-8.")] = UNSET
    body_base64: Annotated[bytes | UnsetType, Meta(description="Octets.")] = UNSET
    body_json: Annotated[
        msgspec.Raw | UnsetType, Meta(description="Any value; stored as it is written. Its content type is JSON.")
    ] = UNSET
    content_type: Annotated[str, Meta(description="The header `content-type`.")] = ""
    headers: Annotated[dict[str, str] | UnsetType, Meta(description="Further headers, which consumers see.")] = UNSET
    dedup_id: Annotated[str, Meta(description="A message with the same id adds nothing.")] = ""


class MessageReader:
    """Makes messages for one destination."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._plain = header_lines(destination, ())

    def read_all(self, messages: Iterable[JsonMessage], dedup_id: str = "") -> list[NewMessage]:
        """Messages of one request.

        Args:
            messages: as they were written.
            dedup_id: of the request: those without an id of their own have this one, a hyphen and their number from 0.

        Raises:
            BodyError: one of them can't be.
        """
        return [
            self.read(message, message.dedup_id or (f"{dedup_id}-{at}" if dedup_id else ""), f"/messages/{at}")
            for at, message in enumerate(messages)
        ]

    def read(self, message: JsonMessage, dedup_id: str, pointer: str = "") -> NewMessage:
        """One of them, which stands at `pointer`. Raises BodyError."""
        if message.body is not UNSET and message.body_base64 is UNSET and message.body_json is UNSET:
            body, content_type = message.body.encode(), message.content_type
        else:
            body, content_type = _other_body(message, pointer)
        headers = () if message.headers is UNSET else message.headers.items()
        try:
            return self.make(message, body, content_type, headers, dedup_id)
        except InvalidHeaderError as error:
            step = error.name.replace("~", "~0").replace("/", "~1")
            place = f"{pointer}/headers/{step}" if message.headers and error.name in message.headers else pointer
            raise BodyError("invalid-body", f"It can't be published: {error}", place) from None
        except ValueError as error:
            raise BodyError("invalid-body", f"It can't be published: {error}", pointer) from None

    def make(
        self,
        handling: Handling,
        body: bytes,
        content_type: str,
        headers: Collection[tuple[str, str]] = (),
        dedup_id: str = "",
    ) -> NewMessage:
        """A message of these parts.

        Raises:
            InvalidHeaderError: a header can't be given.
            ValueError: it is to be delivered both after a time and at one.
        """
        ttl_ms, group = handling.ttl_ms, handling.group
        priority = None if handling.priority is UNSET else handling.priority
        lines = self._plain
        if content_type or headers or ttl_ms or group or dedup_id or priority is not None:
            given = [("content-type", content_type), *headers] if content_type else headers
            lines = header_lines(
                self._destination, given, ttl_ms=ttl_ms, priority=priority, group=group, dedup_id=dedup_id
            )
        marked = bool(ttl_ms or group)
        return NewMessage(lines, body, handling.persistent, ttl_ms, _when(handling), dedup_id, marked)


def _other_body(message: JsonMessage, pointer: str) -> tuple[bytes, str]:
    """A body that is not just text, and its content type."""
    bodies = message.body, message.body_base64, message.body_json
    if sum(body is not UNSET for body in bodies) > 1:
        raise BodyError("invalid-body", "A message has one body: text, octets or JSON", pointer)
    if message.body_base64 is not UNSET:
        return message.body_base64, message.content_type
    if message.body_json is not UNSET:
        return bytes(message.body_json), message.content_type or "application/json"
    return b"", message.content_type


def _when(handling: Handling) -> When | None:
    delay_ms, time_ms = handling.delay_ms, handling.deliver_at_ms
    if time_ms is UNSET:
        return When(delay_ms) if delay_ms else None
    if delay_ms:
        raise ValueError("'delay_ms' and 'deliver_at_ms' both say when: one of them can hold")
    return When(time_ms=time_ms)
