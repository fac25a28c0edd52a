"""The head of a request as octets, and the rules that keep two readers of it from seeing two different requests.

A proxy in front of us and we ourselves have to agree on where each request ends: whoever can make them disagree
smuggles one past the proxy (RFC 9112 §11.2). Parsers are lenient in ways of their own, so that what RFC 9112 forbids is
refused here, before any of them sees it: a bare LF or CR (§2.2), a folded line (§5.2), a space before a colon (§5.1),
both Transfer-Encoding and Content-Length, one of them twice, a length in anything but digits, another coding than
`chunked` (§6.1, §6.3), control characters in a value (RFC 9110 §5.5). What stands in a body is transfer.py's.
"""

from __future__ import annotations

import re
from typing import Final

from segue.protocols.http.errors import HttpError
from segue.protocols.http.limits import Limits

__all__ = ["HEADER_LINE", "HEAD_END", "HeadReader", "check_head"]

HEAD_END: Final = b"\r\n\r\n"
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
HEADER_LINE: Final = _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n"
"""A pattern: name and value, not folded."""
_whole_head: Final = re.compile(
    rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])\r\n(?:" + HEADER_LINE + rb")*\r\n"
).fullmatch
_target: Final = re.compile(rb"[^ \r\n]+ ([\x21-\x7e]+)").match
_bare_line_end: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)").search
_length_lines: Final = re.compile(rb"\r\n(content-length|transfer-encoding):[ \t]*([^\r]*)", re.IGNORECASE).findall
# Beyond any limit, and below what an integer of 64 bits can hold.
_length: Final = re.compile(rb"[0-9]{1,18}").fullmatch
_METHODS: Final = frozenset(
    {b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"QUERY", b"CONNECT", b"TRACE"}
)


class HeadReader:
    """Gathers the octets of one head after the other, never more than it may have.

    Attributes:
        begun: something of a head is there.
        refused: the target in one that was refused, or never came, as far as it can be read.
        length: what the last head says of its body's length: see `check_head`.
    """

    __slots__ = ("_head", "_limits", "length")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._head = bytearray()
        self.length: int | None = 0

    @property
    def begun(self) -> bool:
        """See above."""
        return bool(self._head)

    @property
    def refused(self) -> str:
        """See above."""
        found = _target(self._head)
        return "" if found is None else found[1].decode("ascii")

    def read(self, data: bytes, pos: int) -> tuple[bytes | None, int]:
        """Take what belongs to the head.

        Args:
            data: what has come.
            pos: where it goes on.

        Returns:
            The whole head with its blank line, or None while it is not whole; and where what follows begins.

        Raises:
            HttpError: it is no head (see `check_head`), and the connection is of no use any more.
        """
        head = self._head
        if head == b"\r" and data.startswith(b"\n", pos):
            head.clear()
            pos += 1
        if not head:
            # An empty line before a request is to be skipped (RFC 9112 §2.2).
            while data.startswith(b"\r\n", pos):
                pos += 2
        seen = max(0, len(head) - len(HEAD_END) + 1)
        taken = data[pos : pos + self._limits.head_bytes_max + 1 - len(head)]
        head += taken
        end = head.find(HEAD_END, seen)
        if end >= 0:
            end += len(HEAD_END)
            after = pos + len(taken) - (len(head) - end)
            whole = bytes(head[:end])
            self.length = check_head(whole, self._limits)
            head.clear()
            return whole, after
        self._check_part(seen)
        return None, pos + len(taken)

    def _check_part(self, seen: int) -> None:
        """Refuse at once what can't become a head; what stands before `seen` was looked at."""
        head = self._head
        # A CR that comes last may have its LF in the next read.
        if _bare_line_end(head, seen, len(head) - head.endswith(b"\r")) is not None:
            raise _bad_line_end()
        if head.find(b"\r\n") < 0 and len(head) > self._limits.target_bytes_max + 64:
            raise _target_too_long(self._limits)
        if len(head) > self._limits.head_bytes_max:
            raise _head_too_large(self._limits)


def check_head(head: bytes, limits: Limits) -> int | None:
    """Refuse what two readers may read differently, what is too large, and what is no request of HTTP/1.

    Args:
        head: the request line and the headers, with the blank line.
        limits: see `Limits`.

    Returns:
        How many octets the body has; None if it comes in chunks.

    Raises:
        HttpError: 400, 414, 431, 501 or 505.
    """
    if len(head) > limits.head_bytes_max or head.count(b"\r\n") - 2 > limits.header_count_max:
        raise _head_too_large(limits)
    whole = _whole_head(head)
    if whole is None:
        raise _bad_head(head)
    method, target, version = whole.groups()
    if len(target) > limits.target_bytes_max:
        raise _target_too_long(limits)
    if not target.startswith(b"/"):
        raise HttpError(400, "bad-target", "The request target is no path: it begins with no slash", closes=True)
    if version not in (b"1.1", b"1.0"):
        raise HttpError(505, "http-version", "Only HTTP/1.1 and HTTP/1.0 are spoken here", closes=True)
    if method not in _METHODS:
        raise HttpError(501, "unknown-method", "There is no such method", closes=True)
    return _body_length(head, version)


def _body_length(head: bytes, version: bytes) -> int | None:
    """See `check_head`."""
    lines = _length_lines(head)
    if not lines:
        return 0
    if len(lines) > 1:
        text = "The head says more than once how long the body is (Content-Length, Transfer-Encoding)"
        raise HttpError(400, "ambiguous-length", text, closes=True)
    ((name, value),) = lines
    if name.lower() == b"content-length" and _length(value) is not None:
        return int(value)
    if name.lower() == b"transfer-encoding" and value.lower() == b"chunked" and version == b"1.1":
        return None
    raise HttpError(400, "bad-length", "The length of the body is no number, or its coding is unknown", closes=True)


def _bad_line_end() -> HttpError:
    return HttpError(400, "bad-line-end", "A line of the head ends with LF or CR alone", closes=True)


def _bad_head(head: bytes) -> HttpError:
    if _bare_line_end(head) is not None:
        return _bad_line_end()
    text = (
        "The first line is no request of HTTP, or a header has a space before its colon, a control character in its "
        "value, or a second line"
    )
    return HttpError(400, "bad-head", text, closes=True)


def _target_too_long(limits: Limits) -> HttpError:
    text = f"The request target has more than {limits.target_bytes_max} bytes"
    return HttpError(414, "target-too-long", text, closes=True)


def _head_too_large(limits: Limits) -> HttpError:
    text = f"The head has more than {limits.head_bytes_max} bytes, or more than {limits.header_count_max} headers"
    return HttpError(431, "head-too-large", text, closes=True)
