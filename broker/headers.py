"""Headers of a stored message: read, and written anew with some more.

A record keeps its headers in the form of the protocol that it came by (`Encoding`). Whoever changes a message inside
the broker, as a dead letter is changed, changes them here. The form of STOMP is defined in storage/record.py: lines of
STOMP 1.2, each ended by LF, the last one `content-length`, and a blank line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from segue.broker.header_text import escape, unescape
from segue.broker.message import HEADERS_AT, Encoding, Record, encode, headers_end, prefix
from segue.storage.api import times

__all__ = ["Headers", "header_block", "read_headers", "with_headers"]

# Many selectors ask for the same names; one that is not kept takes 1 µs longer.
_KEYS_MAX: Final = 1024


class Headers:
    """The headers of a record, each looked for in the record's own bytes when it is asked for.

    Nothing else is decoded or copied: to cut the block into lines first, and the body off, took 5 µs where this takes
    2, and longer for a large body.
    """

    __slots__ = ("_end", "_record")

    def __init__(self, record: bytes) -> None:
        self._record = record
        self._end = headers_end(record)

    def get(self, name: str, /) -> str | None:
        """The value of a header, the first of repeated ones; None when there is none."""
        record = self._record
        first, other = _keys(name)
        if record.startswith(first, HEADERS_AT):
            start = HEADERS_AT + len(first)
        else:
            found = record.find(other, HEADERS_AT, self._end)
            if found < 0:
                # The record knows of its expiry whichever header said it.
                return str(times(record)[1] or "") or None if name == "expires" else None
            start = found + len(other)
        return _unescape(record[start : record.find(b"\n", start)])


def with_headers(
    record: Record,
    headers: Mapping[str, str],
    *,
    accepted_ms: int,
    expires_ms: int = 0,
    left_out: tuple[str, ...] = (),
) -> bytes:
    """The message as a new record, with these headers in place of those of the same names.

    Args:
        record: the message; its expiry is not taken over by itself.
        headers: name to value, any text.
        accepted_ms: of the new record.
        expires_ms: likewise; 0 for never.
        left_out: further names that the new record does not have.
    """
    gone = tuple(_escape(name) + b":" for name in (*headers, *left_out))
    lines = [_escape(name) + b":" + _escape(value) for name, value in headers.items()]
    lines += [line for line in _lines(record) if not line.startswith(gone)]
    block = b"\n".join(lines) + b"\n\n"
    return encode(*prefix(accepted_ms, block, record.flags, expires_ms, record.encoding), record.body)


def header_block(headers: Iterable[tuple[str, str]], body_length: int) -> bytes:
    """The headers of a new record: each name and value, any text, then the length of the body in octets."""
    text = "".join([f"{escape(name)}:{escape(value)}\n" for name, value in headers])
    # A NUL would end the frame for clients that don't look at `content-length`.
    return text.replace("\0", " ").encode("utf-8", "replace") + b"content-length:%d\n\n" % body_length


def read_headers(block: bytes) -> list[tuple[str, str]]:
    """Name and value of each header of a record, without `content-length`."""
    headers = []
    for line in block.decode("utf-8", "backslashreplace").split("\n"):
        name, colon, value = line.partition(":")
        if colon and name != "content-length":
            headers.append((unescape(name), unescape(value)))
    return headers


def _lines(record: Record) -> list[bytes]:
    assert record.encoding == Encoding.STOMP
    return record.headers.removesuffix(b"\n\n").split(b"\n")


@lru_cache(_KEYS_MAX)
def _keys(name: str) -> tuple[bytes, bytes]:
    """What a header begins with where it is the first one of a record, and where it is not."""
    # No stored header has a lone surrogate in its name, but a selector of some other protocol might.
    key = _escape(name, "surrogatepass") + b":"
    return key, b"\n" + key


def _unescape(value: bytes) -> str:
    return unescape(value.decode())


def _escape(text: str, errors: str = "strict") -> bytes:
    return escape(text).encode(errors=errors)
