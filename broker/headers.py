"""Headers of a stored message: read, and written anew with some more.

A record keeps its headers in the form of the protocol that it came by (`Encoding`). Whoever changes a message inside
the broker, as a dead letter is changed, changes them here. The form of STOMP is defined in storage/record.py: lines of
STOMP 1.2, each ended by LF, the last one `content-length`, and a blank line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from segue.broker.message import Encoding, Record, encode, prefix

__all__ = ["header", "with_headers"]

_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c"}
_PLAIN: Final = {escape: plain for plain, escape in _ESCAPES.items()}
_escaped: Final = re.compile(r"\\.", re.DOTALL).sub


def header(record: Record, name: str) -> str | None:
    """The value of a header, the first of repeated ones; None when there is none."""
    start = _escape(name) + b":"
    for line in _lines(record):
        if line.startswith(start):
            return _escaped(lambda found: _PLAIN.get(found[0], found[0]), line[len(start) :].decode())
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


def _escape(text: str) -> bytes:
    return "".join([_ESCAPES.get(character, character) for character in text]).encode()
