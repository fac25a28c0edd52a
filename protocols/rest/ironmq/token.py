"""Whether a request may come in: the token that it brings.

As long as no users are configured, the token `guest` opens every project from this machine, and nothing else does.
"""

from __future__ import annotations

import hmac
from typing import Final

from segue.protocols.http import Exchange
from segue.protocols.http.credentials import unauthorized
from segue.protocols.http.routes import Handler

__all__ = ["with_token"]

_GUEST: Final = "guest"
_CHALLENGE: Final = b'OAuth realm="Segue"'


def with_token(handler: Handler) -> Handler:
    """A handler for requests with the right token; others are answered 401."""

    def guard(exchange: Exchange) -> None:
        # The guest comes in where he would come in by his password, too.
        users, loopback = exchange.node.users, exchange.peer_is_loopback
        guest = users.recall(_GUEST, _GUEST, peer_is_loopback=loopback) is not None
        if not (guest and hmac.compare_digest(_token(exchange).encode(), _GUEST.encode())):
            raise unauthorized(_CHALLENGE, "Unauthorized")
        exchange.authenticated()
        handler(exchange)

    return guard


def _token(exchange: Exchange) -> str:
    request = exchange.request
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "oauth":
        return token.strip()
    return request.query.get("oauth", "")
