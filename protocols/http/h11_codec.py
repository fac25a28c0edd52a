"""HTTP/1.1 by h11: the reference."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import h11

from segue.protocols.http.codec import End, Event, RequestHead
from segue.protocols.http.errors import Header, HttpError
from segue.protocols.http.framing import HeadReader
from segue.protocols.http.limits import Limits

__all__ = ["H11Codec"]

_CONTENT_LENGTH: Final = b"content-length"
_WITHOUT_BODY: Final = (204, 304)


class H11Codec:
    """See `segue.protocols.http.codec.Codec`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._connection = self._new_connection()
        # A head is gathered and looked at before h11 sees it.
        self._head = HeadReader(limits)
        self._waiting: list[bytes] = []
        self._in_head = True
        self._is_head = False  # the request's method is HEAD: its answer has no body

    @property
    def begun(self) -> bool:
        """See `Codec`."""
        return self._head.begun

    def receive(self, data: bytes) -> None:
        """See `Codec`."""
        if self._in_head:
            self._waiting.append(data)
        else:
            self._connection.receive_data(data)

    def next_event(self) -> Event | None:
        """See `Codec`."""
        try:
            return self._next_event()
        except h11.RemoteProtocolError as error:
            # 501 is h11's for a transfer coding that it does not know: whether it hides a request is not known either.
            status = 400 if error.error_status_hint == 501 else error.error_status_hint
            # What stands behind the colon is what the peer has sent, as Python shows it.
            reason = str(error).partition(":")[0]
            raise HttpError(status, "bad-request", f"This is not HTTP/1.1: {reason}", closes=True) from error

    def _next_event(self) -> Event | None:
        if self._in_head and not self._take_head():
            return None
        event = self._connection.next_event()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.Request):
            return self._read_head(event)
        if isinstance(event, h11.EndOfMessage):
            return End.OF_REQUEST
        return None

    def _take_head(self) -> bool:
        data = b"".join(self._waiting)
        self._waiting.clear()
        if not data:
            return False
        head, after = self._head.read(data, 0)
        if head is None:
            return False
        self._in_head = False
        self._connection.receive_data(head)
        if after < len(data):
            self._connection.receive_data(data[after:])
        return True

    def _read_head(self, request: h11.Request) -> RequestHead:
        self._is_head = request.method == b"HEAD"
        length: int | None = 0
        for name, value in request.headers:
            if name == _CONTENT_LENGTH:
                length = int(value)
            elif name == b"transfer-encoding":
                length = None
        if b"host" not in [name for name, _ in request.headers]:  # h11 asks it of HTTP/1.1 only
            raise HttpError(400, "no-host", "The request has no Host header", closes=True)
        return RequestHead(
            request.method.decode("ascii"),
            request.target.decode("ascii"),
            list(request.headers),
            self._connection.they_are_waiting_for_100_continue,
            length,
        )

    def leave(self) -> bytes:
        """See `Codec`."""
        return self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> bytes:
        """See `Codec`."""
        length = () if status in _WITHOUT_BODY else ((_CONTENT_LENGTH, b"%d" % len(body)),)
        head = self._begin_answer(status, [*headers, *length])
        may_have_body = not self._is_head and status not in _WITHOUT_BODY
        return head + (self._send(h11.Data(data=body)) if body and may_have_body else b"") + self.end_answer()

    def begin_answer(self, status: int, headers: Sequence[Header]) -> bytes:
        """See `Codec`."""
        return self._begin_answer(status, headers)

    def go_on(self, data: bytes) -> bytes:
        """See `Codec`."""
        return b"" if self._is_head else self._send(h11.Data(data=data))

    def end_answer(self) -> bytes:
        """See `Codec`."""
        return self._send(h11.EndOfMessage())

    def start_next(self) -> bool:
        """See `Codec`."""
        connection = self._connection
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return False
        trailing, _ = connection.trailing_data
        if trailing:
            # It would be read as a head at once, and is to be looked at first.
            self._connection = self._new_connection()
            self._waiting.append(trailing)
        else:
            connection.start_next_cycle()
        self._in_head = True
        return True

    def _new_connection(self) -> h11.Connection:
        # What is not whole is a line of chunked coding, or trailers: they have no use for more than a head.
        return h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_bytes_max)

    def _begin_answer(self, status: int, headers: Sequence[Header]) -> bytes:
        reason = HTTPStatus(status).phrase.encode()
        return self._send(h11.Response(status_code=status, headers=list(headers), reason=reason))

    def _send(self, event: h11.Event) -> bytes:
        return self._connection.send(event) or b""
