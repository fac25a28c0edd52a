"""Requests of the load generator, read again."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

__all__ = ["Request", "read_request"]


class Request(NamedTuple):
    """What a request asks for; its body is JSON."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


def read_request(octets: bytes) -> Request:
    """A request that is one from its first octet to its last."""
    head, _, body = octets.decode().partition("\r\n\r\n")
    line, *lines = head.split("\r\n")
    method, path, version = line.split(" ")
    headers = dict(line.split(": ") for line in lines)
    assert (version, int(headers["Content-Length"])) == ("HTTP/1.1", len(body))
    return Request(method, path, headers, json.loads(body))
