"""Segue's own HTTP API."""

from __future__ import annotations

import msgspec

from segue.bench.http.door import BODY_PATTERN, Door, Encoder, Taken, encoder, number_of, request

__all__ = ["V1"]

_AUTHORIZATION = "Basic Z3Vlc3Q6Z3Vlc3Q="  # guest:guest
_MESSAGE = b'{"body":"%b"}' % BODY_PATTERN
# Longer than a run: a message that comes again is to be a fault, not a lease that is over.
_LEASE_SECONDS = 600


class _Published(msgspec.Struct):
    messages: list[msgspec.Raw]


class _Message(msgspec.Struct):
    body: str


class _Lease(msgspec.Struct):
    id: str
    message: _Message


class _Leases(msgspec.Struct):
    leases: list[_Lease]


_published = msgspec.json.Decoder(_Published)
_leases = msgspec.json.Decoder(_Leases)


class V1(Door):
    """One queue. Messages are leased, and settled by acknowledging them."""

    def __init__(self, queue: str) -> None:
        self._queue = f"/v1/queues/{queue}"

    def publishing(self, count: int) -> Encoder:
        messages = b",".join([_MESSAGE] * count)
        return encoder(f"{self._queue}/messages", _AUTHORIZATION, (b'{"messages":[', messages, b"]}"))

    def published(self, body: bytes) -> int:
        return len(_published.decode(body).messages)

    def taking(self, count: int, *, settled: bool = False, wait_seconds: int = 0) -> bytes:
        assert not settled, "a lease is settled by a request of its own"
        asked = {"messages_max": count, "lease_seconds": _LEASE_SECONDS, "wait_seconds": wait_seconds}
        return request("POST", f"{self._queue}/leases", _AUTHORIZATION, msgspec.json.encode(asked))

    def taken(self, body: bytes) -> Taken:
        leases = _leases.decode(body).leases
        acknowledged = [{"lease": lease.id, "action": "ack"} for lease in leases]
        settlement = msgspec.json.encode({"settlements": acknowledged})
        numbers = [number_of(lease.message.body) for lease in leases]
        return Taken(numbers, request("POST", "/v1/settlements", _AUTHORIZATION, settlement) if leases else b"")

    def is_settled(self, body: bytes) -> bool:
        return b'"problem"' not in body
