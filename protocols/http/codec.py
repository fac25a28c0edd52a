"""HTTP/1.1 of one connection: octets in, events out, and the octets of answers. Sans-IO.

What comes is cut into messages here (framing.py, transfer.py), so that nothing of the next request reaches what reads
this one. Heads are read by a parser that somebody else wrote, behind the port `HeadParser`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple, TypeAlias

from segue.protocols.http.answer_writer import AnswerWriter
from segue.protocols.http.errors import Header, HttpError
from segue.protocols.http.framing import HeadReader
from segue.protocols.http.limits import Limits
from segue.protocols.http.transfer import TransferredBody, body_of

__all__ = ["Codec", "End", "Event", "HeadParser", "ParsedHead", "RequestHead"]


class ParsedHead(NamedTuple):
    """What stands in a head.

    Attributes:
        method: as it came, such as `GET`.
        target: as it came: path and query.
        version: `1.1` or `1.0`.
        headers: names in lower case, in their order; values without the spaces around them.
    """

    method: bytes
    target: bytes
    version: bytes
    headers: Sequence[Header]


HeadParser: TypeAlias = Callable[[bytes], ParsedHead]
"""Reads a head that `check_head` has let pass. Raises HttpError: 400: it is none after all.

h11 is the reference (h11_heads.py). Another one does the same or is wrong: tests hold them against each other.
"""


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


class Codec:
    """One connection. After `End` nothing more comes until `start_next`, however much has been received."""

    def __init__(self, limits: Limits, parse: HeadParser) -> None:
        self._limits = limits
        self._parse = parse
        self._head = HeadReader(limits)
        self._body: TransferredBody | None = None  # of the request whose head has come
        self._ended = False  # that request is whole
        self._waiting = b""
        self._answer = AnswerWriter()

    def receive(self, data: bytes) -> None:
        """What the peer has sent: at most 16 KiB at a time."""
        self._waiting += data

    @property
    def begun(self) -> bool:
        """True when something of a request is there whose head is not whole."""
        return self._head.begun

    @property
    def refused(self) -> str:
        """The target of the request whose head was refused, or never came, as far as it can be read."""
        return self._head.refused

    def next_event(self) -> Event | None:
        """The next one; None if more has to come first, or the last request has not been answered.

        Raises:
            HttpError: this is not HTTP; nothing more will come.
        """
        body = self._body
        if body is None:
            return self._take_head() if self._waiting else None
        if self._waiting and not body.ended:
            data, taken = body.read(self._waiting)
            self._waiting = self._waiting[taken:]
            if data:
                return data
        if body.ended and not self._ended:
            self._ended = True
            return End.OF_REQUEST
        return None

    def leave(self) -> bytes:
        """`100 Continue`: the peer may send the body."""
        return b"HTTP/1.1 100 Continue\r\n\r\n"

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> bytes:
        """A whole answer; a content length is added, and the body left out where there may be none."""
        return self._answer.whole(status, headers, body)

    def begin_answer(self, status: int, headers: Sequence[Header]) -> bytes:
        """The head of an answer whose length is not known, or stands in a header."""
        return self._answer.begin(status, headers)

    def go_on(self, data: bytes) -> bytes:
        """A piece of its body."""
        return self._answer.piece(data)

    def end_answer(self) -> bytes:
        """Its end."""
        return self._answer.end()

    def switch(self, headers: Sequence[Header]) -> tuple[bytes, bytes]:
        """`101 Switching Protocols`: the answer, and what has come behind the request. It is no more HTTP."""
        behind, self._waiting = self._waiting, b""
        return self._answer.switch(headers), behind

    def start_next(self) -> bool:
        """The request is answered: whether another may follow on this connection."""
        if not self._ended or not self._answer.keeps_alive:
            return False
        self._body = None
        self._ended = False
        self._answer = AnswerWriter()
        return True

    def _take_head(self) -> RequestHead | None:
        octets, taken = self._head.read(self._waiting, 0)
        self._waiting = self._waiting[taken:]
        return None if octets is None else self._read_head(self._parse(octets))

    def _read_head(self, head: ParsedHead) -> RequestHead:
        is_1_1 = head.version == b"1.1"
        hosts, closes, expects_continue = 0, not is_1_1, False
        for name, value in head.headers:
            if name == b"host":
                hosts += 1
            elif name == b"connection":
                closes = closes or b"close" in _words(value)
            elif name == b"expect":
                expects_continue = is_1_1 and b"100-continue" in _words(value)
        if hosts != 1:
            raise HttpError(400, "no-host", "The request has no Host header, or several", closes=True)
        length = self._head.length
        self._body = body_of(length, self._limits)
        self._answer = AnswerWriter(is_head=head.method == b"HEAD", has_chunks=is_1_1, keeps_alive=not closes)
        return RequestHead(
            head.method.decode("ascii"), head.target.decode("ascii"), head.headers, expects_continue, length
        )


def _words(value: bytes) -> list[bytes]:
    return [word.strip() for word in value.lower().split(b",")]
