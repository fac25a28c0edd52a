"""The head of a request as octets, and the rules that keep two readers of it from seeing two different requests.

A proxy in front of us and we ourselves have to agree on where each request ends: whoever can make them disagree
smuggles one past the proxy (RFC 9112 §11.2). Parsers are lenient in ways of their own, so that what RFC 9112 forbids is
refused here, before any of them sees it: a bare LF or CR (§2.2), a folded line (§5.2), a space before a colon (§5.1),
both Transfer-Encoding and Content-Length, or one of them twice (§6.1, §6.3).
"""

from __future__ import annotations

import re
from typing import Final

from segue.protocols.http.errors import HttpError
from segue.protocols.http.limits import Limits

__all__ = ["HEAD_END", "HeadReader", "check_head"]

HEAD_END: Final = b"\r\n\r\n"
_bare_line_end: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)").search
_folded: Final = re.compile(rb"\r\n[ \t]").search
_space_before_colon: Final = re.compile(rb"\r\n[^:\r\n]*[ \t]+:").search
_length_lines: Final = re.compile(rb"\r\n(content-length|transfer-encoding):", re.IGNORECASE).findall


class HeadReader:
    """Gathers the octets of one head after the other, never more than it may have.

    Attributes:
        begun: something of a head is there.
    """

    __slots__ = ("_head", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._head = bytearray()

    @property
    def begun(self) -> bool:
        """See above."""
        return bool(self._head)

    def read(self, data: bytes, pos: int) -> tuple[bytes | None, int]:
        """Take what belongs to the head.

        Args:
            data: what has come.
            pos: where it goes on.

        Returns:
            The whole head with its blank line, or None while it is not whole; and where what follows begins.

        Raises:
            HttpError: 400, 414 or 431: it is no head, and the connection is of no use any more.
        """
        head = self._head
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
            head.clear()
            check_head(whole, self._limits)
            return whole, after
        self._check_part()
        return None, pos + len(taken)

    def _check_part(self) -> None:
        """Refuse at once what can't become a head."""
        head = bytes(self._head)
        # A CR that comes last may have its LF in the next read.
        if _bare_line_end(head, 0, len(head) - head.endswith(b"\r")) is not None:
            raise HttpError(400, "bad-line-end", "A line of the head ends with LF or CR alone", closes=True)
        if head.find(b"\r\n") < 0 and len(head) > self._limits.target_bytes_max + 64:
            raise _target_too_long(self._limits)
        if len(head) > self._limits.head_bytes_max:
            raise _head_too_large(self._limits)


def check_head(head: bytes, limits: Limits) -> None:
    """Refuse what two readers may read differently, or what is too large.

    Args:
        head: the request line and the headers, with the blank line.
        limits: see `Limits`.

    Raises:
        HttpError: 400, 414 or 431.
    """
    if _bare_line_end(head) is not None:
        raise HttpError(400, "bad-line-end", "A line of the head ends with LF or CR alone", closes=True)
    line_end = head.index(b"\r\n")
    method, _, rest = head[:line_end].partition(b" ")
    if len(rest) - len(b" HTTP/1.1") > limits.target_bytes_max:
        raise _target_too_long(limits)
    if len(head) > limits.head_bytes_max or head.count(b"\r\n") - 2 > limits.header_count_max:
        raise _head_too_large(limits)
    if not method or _folded(head) is not None or _space_before_colon(head, line_end) is not None:
        raise HttpError(400, "bad-head", "The head has a folded line, or a space before a colon", closes=True)
    if len(_length_lines(head)) > 1:
        text = "The head says more than once how long the body is (Content-Length, Transfer-Encoding)"
        raise HttpError(400, "ambiguous-length", text, closes=True)


def _target_too_long(limits: Limits) -> HttpError:
    text = f"The request target has more than {limits.target_bytes_max} bytes"
    return HttpError(414, "target-too-long", text, closes=True)


def _head_too_large(limits: Limits) -> HttpError:
    text = f"The head has more than {limits.head_bytes_max} bytes, or more than {limits.header_count_max} headers"
    return HttpError(431, "head-too-large", text, closes=True)
