"""What the load generator asks of an HTTP API: its requests, made ahead of time, and what their answers say.

Each body begins with the number of its message, so that it can be told at the end that each came once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from segue.bench.requests import request_wire

__all__ = ["BODY_PATTERN", "Door", "Encoder", "Taken", "encoder", "number_of", "request"]

_BODY_BYTES = 256
_NUMBER_DIGITS = 18

BODY_PATTERN: Final = (b"%%0%dd " % _NUMBER_DIGITS) + (b"abcdefghijklmnopqrstuvwxyz0123456789" * 7)[
    : _BODY_BYTES - _NUMBER_DIGITS - 1
]
"""A message's body, with a place for its number."""

Encoder = Callable[[int], bytes]
"""Makes the request that publishes the messages from this number on."""


class Taken(NamedTuple):
    """What an answer gave.

    Attributes:
        numbers: of the messages.
        settlement: the request that settles them; empty when they are settled, or when there are none.
    """

    numbers: list[int]
    settlement: bytes


class Door(ABC):
    """One queue of one API."""

    @abstractmethod
    def publishing(self, count: int) -> Encoder:
        """What makes the requests that publish `count` messages each."""

    @abstractmethod
    def published(self, body: bytes) -> int:
        """How many messages this answer confirms."""

    @abstractmethod
    def taking(self, count: int, *, settled: bool = False, wait_seconds: int = 0) -> bytes:
        """The request for up to `count` messages.

        Args:
            count: 1 to 100.
            settled: they are settled with the answer.
            wait_seconds: how long it is held back while there are none.
        """

    @abstractmethod
    def taken(self, body: bytes) -> Taken:
        """What this answer gave."""

    @abstractmethod
    def is_settled(self, body: bytes) -> bool:
        """Whether this answer says that all is settled which was to be."""


def request(method: str, path: str, authorization: str, body: bytes) -> bytes:
    """A request with a body in JSON."""
    headers = [("Authorization", authorization), ("Content-Type", "application/json")]
    return request_wire(method, path, "localhost", headers, body)


def encoder(path: str, authorization: str, parts: Iterable[bytes]) -> Encoder:
    """What makes POST requests from a pattern, as `%` over all of it: about 0.2 us a message.

    Args:
        path: of the request.
        authorization: its credentials.
        parts: the pattern of its body, in pieces of which each has one place for a number, or none.
    """
    pattern = b"".join(parts)
    count = pattern.count(b"%0")
    length = len(pattern % tuple(range(count)))
    head, _, _ = request("POST", path, authorization, bytes(length)).partition(b"\0")
    whole = head.replace(b"%", b"%%") + pattern
    return lambda first: whole % tuple(range(first, first + count))


def number_of(body: str) -> int:
    """The number of the message with this body."""
    return int(body[:_NUMBER_DIGITS])
