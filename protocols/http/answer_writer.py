"""Answers as octets (RFC 9112 §6, §7, §9). Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from segue.protocols.http.errors import Header

__all__ = ["AnswerWriter"]

_WITHOUT_BODY: Final = (204, 304)
"""Answers that have none, nor a length."""
_STATUS_LINES: Final = {status: f"HTTP/1.1 {status} {status.phrase}\r\n".encode() for status in HTTPStatus}
_CLOSE: Final = b"connection: close\r\n"


class AnswerWriter:
    """The answer to one request.

    Attributes:
        keeps_alive: another request may follow.
    """

    __slots__ = ("_chunked", "_has_chunks", "_is_head", "keeps_alive")

    def __init__(self, *, is_head: bool = False, has_chunks: bool = True, keeps_alive: bool = False) -> None:
        """For one request.

        Args:
            is_head: the answer is to HEAD, and so has no body.
            has_chunks: the peer speaks HTTP/1.1.
            keeps_alive: the peer would send another request.
        """
        self.keeps_alive = keeps_alive
        self._is_head = is_head
        self._has_chunks = has_chunks
        self._chunked = False

    def whole(self, status: int, headers: Sequence[Header], body: bytes) -> bytes:
        """See `Codec.answer`."""
        if status in _WITHOUT_BODY:
            return self._head(status, headers, b"")
        head = self._head(status, headers, b"content-length: %d\r\n" % len(body))
        return head if self._is_head else head + body

    def begin(self, status: int, headers: Sequence[Header]) -> bytes:
        """See `Codec.begin_answer`."""
        if any(name == b"content-length" for name, _ in headers):
            return self._head(status, headers, b"")
        if self._has_chunks:
            self._chunked = True
            return self._head(status, headers, b"transfer-encoding: chunked\r\n")
        self.keeps_alive = False  # the end of the connection is the end of the body
        return self._head(status, headers, b"")

    def piece(self, data: bytes) -> bytes:
        """See `Codec.go_on`."""
        if self._is_head or not data:
            return b""
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data

    def end(self) -> bytes:
        """See `Codec.end_answer`."""
        return b"0\r\n\r\n" if self._chunked and not self._is_head else b""

    def switch(self, headers: Sequence[Header]) -> bytes:
        """See `Codec.switch`."""
        self.keeps_alive = True  # whatever for
        return self._head(HTTPStatus.SWITCHING_PROTOCOLS, headers, b"")

    def _head(self, status: int, headers: Sequence[Header], framing: bytes) -> bytes:
        lines = [b"%b: %b\r\n" % header for header in headers]
        if (b"connection", b"close") in headers:
            self.keeps_alive = False
        elif not self.keeps_alive:
            lines.append(_CLOSE)
        fields = b"".join(lines)
        if fields.count(b"\n") != len(lines) or fields.count(b"\r") != len(lines) or b"\0" in fields:
            raise ValueError("a header of an answer has a line end in it")
        return b"%b%b%b\r\n" % (_STATUS_LINES[HTTPStatus(status)], fields, framing)
