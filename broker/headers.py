"""Headers of a stored message: read, and written anew with some more.

A record keeps its headers in the form of the protocol that it came by (`Encoding`). Whoever changes a message inside
the broker, as a dead letter is changed, changes them here. The form of STOMP is defined in storage/record.py: lines of
STOMP 1.2, each ended by LF, the last one `content-length`, and a blank line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from segue.broker.message import Encoding, Record, decode, encode, prefix

__all__ = ["Headers", "header", "with_headers"]

_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c"}
_PLAIN: Final = {escape: plain for plain, escape in _ESCAPES.items()}
_escaped: Final = re.compile(r"\\.", re.DOTALL).sub


class Headers:
    """The headers of a record for a selector: cut into lines once, and decoded when asked for."""

    __slots__ = ("_lines",)

    def __init__(self, record: bytes) -> None:
        # From the last to the first: of repeated headers the first one counts.
        lines = reversed(_lines(decode(record)))
        self._lines = {name: value for name, _, value in [line.partition(b":") for line in lines]}

    def get(self, name: str) -> str | None:
        """The value of a header; None when there is none."""
        value = self._lines.get(_escape(name))
        return None if value is None else _unescape(value)


def header(record: Record, name: str) -> str | None:
    """The value of a header, the first of repeated ones; None when there is none."""
    start = _escape(name) + b":"
    for line in _lines(record):
        if line.startswith(start):
            return _unescape(line[len(start) :])
    return None


def with_headers(
    record: Record, headers: Mapping[str, str], *, accepted_ms: int, left_out: tuple[str, ...] = ()
) -> bytes:
    """The message as a new record, with these headers in place of those of the same names.

    Args:
        record: the message; its expiry is not taken over.
        headers: name to value, any text.
        accepted_ms: of the new record.
        left_out: further names that the new record does not have.
    """
    gone = tuple(_escape(name) + b":" for name in (*headers, *left_out))
    lines = [_escape(name) + b":" + _escape(value) for name, value in headers.items()]
    lines += [line for line in _lines(record) if not line.startswith(gone)]
    block = b"\n".join(lines) + b"\n\n"
    return encode(*prefix(accepted_ms, block, record.flags, 0, record.encoding), record.body)


def _lines(record: Record) -> list[bytes]:
    assert record.encoding == Encoding.STOMP
    return record.headers.removesuffix(b"\n\n").split(b"\n")


def _unescape(value: bytes) -> str:
    text = value.decode()
    return _escaped(lambda found: _PLAIN.get(found[0], found[0]), text) if "\\" in text else text


def _escape(text: str) -> bytes:
    return "".join([_ESCAPES.get(character, character) for character in text]).encode()
