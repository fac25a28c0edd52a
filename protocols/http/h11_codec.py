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
from segue.protocols.http.transfer import TransferredBody, body_of

__all__ = ["H11Codec"]

_CONTENT_LENGTH: Final = b"content-length"
_WITHOUT_BODY: Final = (204, 304)


class H11Codec:
    """See `segue.protocols.http.codec.Codec`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes_max)
        # What comes is cut into messages, and looked at, before h11 sees it.
        self._head = HeadReader(limits)
        self._body: TransferredBody | None = None  # of the request whose head has come
        self._waiting = b""
        self._is_head = False  # the request's method is HEAD: its answer has no body

    @property
    def begun(self) -> bool:
        """See `Codec`."""
        return self._head.begun

    def receive(self, data: bytes) -> None:
        """See `Codec`."""
        self._waiting += data

    def next_event(self) -> Event | None:
        """See `Codec`."""
        try:
            return self._next_event()
        except h11.RemoteProtocolError as error:
            # What stands behind the colon is what the peer has sent, as Python shows it.
            reason = str(error).partition(":")[0]
            raise HttpError(
                error.error_status_hint, "bad-request", f"This is not HTTP/1.1: {reason}", closes=True
            ) from error

    def _next_event(self) -> Event | None:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            if not self._waiting or not self._feed():
                return None
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.Request):
            return self._read_head(event)
        if isinstance(event, h11.EndOfMessage):
            return End.OF_REQUEST
        return None

    def _feed(self) -> bool:
        """Pass on what belongs to the message that is being read; False when that is nothing."""
        data = self._waiting
        if self._body is None:
            head, taken = self._head.read(data, 0)
            if head is not None:
                self._connection.receive_data(head)
                self._body = body_of(self._head.length, self._limits)
        elif self._body.ended:
            return False
        else:
            _, taken = self._body.read(data)
            self._connection.receive_data(data[:taken])
        self._waiting = data[taken:]
        return True

    def _read_head(self, request: h11.Request) -> RequestHead:
        self._is_head = request.method == b"HEAD"
        if b"host" not in [name for name, _ in request.headers]:  # h11 asks it of HTTP/1.1 only
            raise HttpError(400, "no-host", "The request has no Host header", closes=True)
        return RequestHead(
            request.method.decode("ascii"),
            request.target.decode("ascii"),
            list(request.headers),
            self._connection.they_are_waiting_for_100_continue,
            self._head.length,
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

    def switch(self, headers: Sequence[Header]) -> tuple[bytes, bytes]:
        """See `Codec`."""
        reason = HTTPStatus.SWITCHING_PROTOCOLS.phrase.encode()
        answer = self._send(h11.InformationalResponse(status_code=101, headers=list(headers), reason=reason))
        behind, self._waiting = self._waiting, b""
        return answer, behind

    def start_next(self) -> bool:
        """See `Codec`."""
        connection = self._connection
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return False
        connection.start_next_cycle()
        self._body = None
        return True

    def _begin_answer(self, status: int, headers: Sequence[Header]) -> bytes:
        reason = HTTPStatus(status).phrase.encode()
        return self._send(h11.Response(status_code=status, headers=list(headers), reason=reason))

    def _send(self, event: h11.Event) -> bytes:
        return self._connection.send(event) or b""
