"""The pages whose scripts and forms may open a WebSocket, or ask for a change.

A browser lets every page send a form or open a WebSocket to everywhere, with the credentials that it has stored, but
says in `Origin` which page it is (RFC 6454 §7, RFC 6455 §10.2). Who is no browser sends none, or what he likes: this
protects users of browsers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from segue.protocols.http.errors import HttpError

__all__ = ["AllowedOrigins"]

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class AllowedOrigins:
    """See the module. Besides those that are listed: none at all, the broker's own, and pages of this machine."""

    def __init__(self, origins: Iterable[str]) -> None:
        """`origins`: such as `https://shop.example`; `*` for any."""
        self._origins = {origin.lower() for origin in origins}

    def check(self, origin: str | None, host: str) -> None:
        """Raises HttpError: 403: a page of `origin` may not do what it asks for.

        Args:
            origin: the header, None if there is none.
            host: the header `Host`, which has been found to be a name of ours.
        """
        if origin is None or "*" in self._origins or origin.lower() in self._origins:
            return
        scheme, _, authority = origin.lower().partition("://")
        if scheme in ("http", "https") and (authority == host.lower() or _is_loopback(origin)):
            return
        text = f"Pages of '{origin[:100]}' may not do this: see http.allowed_origins"
        raise HttpError(403, "foreign-origin", text, closes=True)


def _is_loopback(origin: str) -> bool:
    try:
        name = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return name in _LOOPBACK or name.endswith(".localhost")
