"""One request and its answer over a stream that is open: HTTP/1.1 by h11, the client's side.

Only the answer's status counts. What the peer sends is bounded, and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import h11
import trio

from segue.protocols.push.outcome import PushError
from segue.protocols.push.target import Target

__all__ = ["exchange"]

_HEAD_BYTES_MAX: Final = 64 << 10
"""curl takes 300 KiB of headers, Node 16 KiB."""
_BODY_BYTES_MAX: Final = 64 << 10
_BODY_SECONDS: Final = 1.0
"""The body of an answer is read for a moment, for a peer that is cut off while it writes logs an error."""
_READ_BYTES: Final = 16 << 10
_TOGETHER_BYTES_MAX: Final = 64 << 10
"""A body up to here leaves in one write with its head: the copy is cheaper than a packet."""

_OURS: Final = frozenset(
    (
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
"""Headers that say where the request goes and where it ends."""


async def exchange(stream: trio.abc.Stream, target: Target, headers: Mapping[str, str], body: bytes) -> int:
    """POST a body. Returns the status of the answer.

    Args:
        stream: connected; to be closed afterwards.
        target: whom it is connected to.
        headers: what the request has besides those that frame it, which are left out here.
        body: of the request.

    Raises:
        PushError: a header can't be sent; there is no answer, or none of HTTP/1.1.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES_MAX)
    head = _head(connection, target, headers, len(body))
    async with trio.open_nursery() as nursery:
        # It may answer before it has read everything: that the body is too large, say.
        nursery.start_soon(_send, stream, head, body)
        answer = await _receive_answer(stream, connection)
        nursery.cancel_scope.cancel()
    if isinstance(answer, PushError):
        raise answer
    with trio.move_on_after(_BODY_SECONDS):
        await _drain(stream, connection)
    return answer


def _head(connection: h11.Connection, target: Target, headers: Mapping[str, str], length: int) -> bytes:
    named = [(name, value) for name, value in headers.items() if name.lower() not in _OURS]
    fields = [("Host", target.authority), *named, ("Content-Length", str(length)), ("Connection", "close")]
    try:
        encoded = [(name.encode("ascii"), value.encode()) for name, value in fields]
        head = connection.send(h11.Request(method=b"POST", target=target.path.encode(), headers=encoded))
    except (h11.LocalProtocolError, UnicodeError):
        raise PushError("A header can't be sent by HTTP", retry=False) from None
    assert head is not None
    return head


async def _send(stream: trio.abc.Stream, head: bytes, body: bytes) -> None:
    # h11 would only hand the body back as it is: it is of the length that the head says.
    with suppress(trio.BrokenResourceError):  # whoever reads will find out
        if len(body) <= _TOGETHER_BYTES_MAX:
            await stream.send_all(head + body)
        else:
            await stream.send_all(head)
            await stream.send_all(body)


async def _receive_answer(stream: trio.abc.Stream, connection: h11.Connection) -> int | PushError:
    received = 0
    while received <= _HEAD_BYTES_MAX:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return PushError("The answer is not HTTP/1.1")
        if isinstance(event, h11.Response):
            return event.status_code
        if event is h11.NEED_DATA:
            data = await _receive(stream)
            if not data:
                return PushError("The connection was closed without an answer")
            received += len(data)
            connection.receive_data(data)
    return PushError(f"The head of the answer has more than {_HEAD_BYTES_MAX} bytes")


async def _receive(stream: trio.abc.Stream) -> bytes:
    try:
        return bytes(await stream.receive_some(_READ_BYTES))
    except trio.BrokenResourceError:
        return b""


async def _drain(stream: trio.abc.Stream, connection: h11.Connection) -> None:
    received = 0
    with suppress(h11.RemoteProtocolError):
        while received < _BODY_BYTES_MAX:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await _receive(stream)
                received += len(data)
                connection.receive_data(data)
            elif not isinstance(event, h11.Data):
                return  # that was all
