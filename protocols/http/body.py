"""What has come of one request's body, and has not been taken by its handler."""

from __future__ import annotations

from typing import Final

import trio

from segue.protocols.http.errors import HttpError

__all__ = ["Body"]

_HELD_BYTES_MAX: Final = 64 << 10
"""Of a body that is taken in pieces: for one task that is woken, some milliseconds of work."""


class Body:
    """See the module. Gathered until it is whole, unless the handler takes it in pieces.

    Attributes:
        in_pieces: the handler has been called already.
        held: bytes that are here.
        received: bytes that have come.
        ended: it is whole.
        failure: why the rest will not come.
    """

    __slots__ = ("_news", "_pieces", "ended", "failure", "held", "in_pieces", "received")

    def __init__(self, *, in_pieces: bool = False) -> None:
        self.in_pieces = in_pieces
        self.held = 0
        self.received = 0
        self.ended = False
        self.failure: HttpError | None = None
        self._pieces: list[bytes] = []
        self._news: trio.Event | None = None

    @property
    def open(self) -> bool:
        """It is taken in pieces, and more of it may come."""
        return self.in_pieces and not self.ended and self.failure is None

    @property
    def unread(self) -> bool:
        """It is taken in pieces, and its end has not come."""
        return self.in_pieces and not self.ended

    @property
    def has_room(self) -> bool:
        """More of it may be read now."""
        return self.open and self.held < _HELD_BYTES_MAX

    @property
    def wanted(self) -> bool:
        """A task waits for the next piece."""
        return self._news is not None

    def put(self, piece: bytes) -> None:
        """More has come."""
        self._pieces.append(piece)
        self.held += len(piece)
        self.received += len(piece)
        self._tell()

    def end(self) -> None:
        """That was all."""
        self.ended = True
        self._tell()

    def break_off(self, failure: HttpError) -> None:
        """The rest will not come. Whoever takes it in pieces gets what is here, and then this."""
        if self.open:
            self.failure = failure
            self._tell()

    def take(self) -> bytes:
        """All that is here."""
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.held = 0
        return data

    def news(self) -> trio.Event:
        """Set when something is here, or nothing more will come."""
        self._news = trio.Event()
        return self._news

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None:
            news.set()
