"""Segue's IronMQ gateway."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from segue.bench.http.door import BODY_PATTERN, Door, Encoder, Taken, encoder, number_of, request

__all__ = ["IronMQ"]

_AUTHORIZATION = "OAuth guest"
_PROJECT = "5127bf043264140e863e2283"
_MESSAGE = b'{"body":"%b"}' % BODY_PATTERN
# Longer than a run: a message that comes again is to be a fault, not a reservation that is over.
_TIMEOUT_SECONDS = 600


class _Posted(msgspec.Struct):
    ids: list[str]


class _Message(msgspec.Struct):
    id: str
    body: str
    reservation_id: str = ""


class _Reserved(msgspec.Struct):
    messages: list[_Message]


_posted = msgspec.json.Decoder(_Posted)
_reserved = msgspec.json.Decoder(_Reserved)


class IronMQ(Door):
    """One queue. Messages are reserved, and settled by deleting them."""

    def __init__(self, queue: str) -> None:
        self._queue = f"/3/projects/{_PROJECT}/queues/{queue}"

    def publishing(self, count: int) -> Encoder:
        messages = b",".join([_MESSAGE] * count)
        return encoder(f"{self._queue}/messages", _AUTHORIZATION, (b'{"messages":[', messages, b"]}"))

    def published(self, body: bytes) -> int:
        return len(_posted.decode(body).ids)

    def taking(self, count: int, *, settled: bool = False, wait_seconds: int = 0) -> bytes:
        asked = {"n": count, "timeout": _TIMEOUT_SECONDS, "wait": wait_seconds, "delete": settled}
        return request("POST", f"{self._queue}/reservations", _AUTHORIZATION, msgspec.json.encode(asked))

    def taken(self, body: bytes) -> Taken:
        messages = _reserved.decode(body).messages
        numbers = [number_of(message.body) for message in messages]
        return Taken(numbers, self._delete(messages) if messages and messages[0].reservation_id else b"")

    def is_settled(self, body: bytes) -> bool:
        return b"Deleted" in body

    def _delete(self, messages: Sequence[_Message]) -> bytes:
        held = [{"id": message.id, "reservation_id": message.reservation_id} for message in messages]
        path, what = (
            (f"{self._queue}/messages", {"ids": held})
            if len(messages) > 1
            else (f"{self._queue}/messages/{messages[0].id}", {"reservation_id": messages[0].reservation_id})
        )
        return request("DELETE", path, _AUTHORIZATION, msgspec.json.encode(what))
