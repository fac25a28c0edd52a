"""A message on its way through the broker is a record (bytes). What front-ends need to make and to read one."""

from __future__ import annotations

from segue.storage.api import (
    HEADERS_AT,
    PERSISTENT,
    Encoding,
    Record,
    decode,
    encode,
    encode_pieces,
    headers_end,
    prefix,
)

__all__ = [
    "HEADERS_AT",
    "PERSISTENT",
    "Encoding",
    "Record",
    "decode",
    "encode",
    "encode_pieces",
    "headers_end",
    "prefix",
]
