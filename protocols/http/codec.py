"""The port between the server and a parser of HTTP/1.1. Sans-IO: octets in, events out, and the octets of answers.

h11 is the reference (h11_codec.py). Another parser does the same or is wrong: tests hold them against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

from segue.protocols.http.errors import Header

__all__ = ["Codec", "End", "Event", "RequestHead"]


class RequestHead(NamedTuple):
    """The first event of each request.

    Attributes:
        method: as it came, such as `GET`.
        target: as it came: path and query.
        headers: names in lower case, in their order.
        expects_continue: the peer waits for leave to send the body.
        length: of the body if the head says it; None for a body in chunks.
    """

    method: str
    target: str
    headers: Sequence[Header]
    expects_continue: bool
    length: int | None


class End(Enum):
    """The last event of each request."""

    OF_REQUEST = 1


Event: TypeAlias = RequestHead | bytes | End
"""`bytes` are a piece of the body, never empty."""


class Codec(Protocol):
    """One connection. After `End` nothing more comes until `start_next`, however much has been received."""

    def receive(self, data: bytes) -> None:
        """What the peer has sent: at most 16 KiB at a time."""

    def next_event(self) -> Event | None:
        """The next one; None if more has to come first, or the last request has not been answered.

        Raises:
            HttpError: this is not HTTP; nothing more will come.
        """

    @property
    def begun(self) -> bool:
        """True when something of a request is there whose head is not whole."""

    def leave(self) -> bytes:
        """`100 Continue`: the peer may send the body."""

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> bytes:
        """A whole answer; a content length is added, and the body left out where there may be none."""

    def begin_answer(self, status: int, headers: Sequence[Header]) -> bytes:
        """The head of an answer whose length is not known."""

    def go_on(self, data: bytes) -> bytes:
        """A piece of its body."""

    def end_answer(self) -> bytes:
        """Its end."""

    def switch(self, headers: Sequence[Header]) -> tuple[bytes, bytes]:
        """`101 Switching Protocols`: the answer, and what has come behind the request. It is no more HTTP."""

    def start_next(self) -> bool:
        """The request is answered: whether another may follow on this connection."""
