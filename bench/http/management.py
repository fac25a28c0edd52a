"""The HTTP API of RabbitMQ's management plug-in.

An answer to publishing comes after the message was confirmed; what is got is acknowledged before the answer.
"""

from __future__ import annotations

import msgspec

from segue.bench.http.door import BODY_PATTERN, Door, Encoder, Taken, encoder, number_of, request

__all__ = ["Management"]

_AUTHORIZATION = "Basic Z3Vlc3Q6Z3Vlc3Q="  # guest:guest


class _Message(msgspec.Struct):
    payload: str


_got = msgspec.json.Decoder(list[_Message])


class Management(Door):
    """One queue of the virtual host `/`, by the default exchange."""

    def __init__(self, queue: str) -> None:
        self._queue = queue

    def publishing(self, count: int) -> Encoder:
        assert count == 1, "there are no batches"
        body = b'{"properties":{"delivery_mode":2},"routing_key":"%b","payload":"%b","payload_encoding":"string"}'
        message = body % (self._queue.encode(), BODY_PATTERN)
        return encoder("/api/exchanges/%2F/amq.default/publish", _AUTHORIZATION, (message,))

    def published(self, body: bytes) -> int:
        return int(b'"routed":true' in body)

    def taking(self, count: int, *, settled: bool = False, wait_seconds: int = 0) -> bytes:
        assert settled, "there is nothing else that would not give the message back"
        assert not wait_seconds, "there are no long polls"
        asked = {"count": count, "ackmode": "ack_requeue_false", "encoding": "auto"}
        return request("POST", f"/api/queues/%2F/{self._queue}/get", _AUTHORIZATION, msgspec.json.encode(asked))

    def taken(self, body: bytes) -> Taken:
        return Taken([number_of(message.payload) for message in _got.decode(body)], b"")

    def is_settled(self, body: bytes) -> bool:
        raise AssertionError("nothing is left to be settled")
