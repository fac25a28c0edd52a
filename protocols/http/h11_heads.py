"""Heads by h11: the reference."""

from __future__ import annotations

import h11

from segue.protocols.http.codec import ParsedHead
from segue.protocols.http.errors import HttpError

__all__ = ["parse_head"]


def parse_head(head: bytes) -> ParsedHead:
    """See `segue.protocols.http.codec.HeadParser`."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head)
    try:
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        # What stands behind the colon is what the peer has sent, as Python shows it.
        reason = str(error).partition(":")[0]
        raise HttpError(400, "bad-request", f"This is not HTTP/1.1: {reason}", closes=True) from error
    assert isinstance(request, h11.Request), request
    return ParsedHead(request.method, request.target, request.http_version, list(request.headers))
