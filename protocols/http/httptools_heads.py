"""Heads by httptools, which is Node's parser (llhttp): ten times as fast as h11, and written in C."""

from __future__ import annotations

import httptools

from segue.protocols.http.codec import ParsedHead
from segue.protocols.http.errors import Header, HttpError

__all__ = ["parse_head"]


def parse_head(head: bytes) -> ParsedHead:
    """See `segue.protocols.http.codec.HeadParser`."""
    found = _Found()
    # It can't be told to stop behind one message, so each head has a parser of its own.
    parser = httptools.HttpRequestParser(found)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # it believes that another protocol follows; what does is not its to say
    except httptools.HttpParserError as error:
        raise HttpError(400, "bad-request", f"This is not HTTP/1.1: {error}", closes=True) from error
    return ParsedHead(parser.get_method(), found.target, parser.get_http_version().encode(), found.headers)


class _Found:
    """What httptools has found: it calls these."""

    __slots__ = ("headers", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[Header] = []

    def on_url(self, target: bytes) -> None:
        self.target = target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))
