"""Why a request is refused: a status, a word for programs and a text for people."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Header", "HttpError", "PeerGoneError"]

Header = tuple[bytes, bytes]
"""The name of a header, lower case, and its value."""


class HttpError(Exception):
    """A request can't be carried out.

    Attributes:
        status: of HTTP, 400 to 599.
        code: a word that stays the same; words are separated by hyphens.
        headers: that the answer has besides.
        closes: nothing that follows on the connection can be understood, or is to be trusted.
    """

    def __init__(
        self, status: int, code: str, text: str, *, headers: Sequence[Header] = (), closes: bool = False
    ) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.headers = list(headers)
        self.closes = closes


class PeerGoneError(HttpError):
    """Whoever has asked is gone: ends a task that reads or writes for him. Nobody sees it."""

    def __init__(self) -> None:
        super().__init__(400, "peer-gone", "The peer is gone", closes=True)
