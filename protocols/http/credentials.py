"""Who asks: the credentials of requests, checked before anything else is looked at.

As long as no users are configured, whoever is on this machine may come in as `guest`, and nobody else: as with STOMP.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from segue.broker.users import AuthenticationFailed
from segue.protocols.http.errors import HttpError

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.protocols.http.exchange import Exchange
    from segue.protocols.http.routes import Handler

__all__ = ["Credentials", "unauthorized"]

_LOGINS_AT_A_TIME: Final = 4
"""Threads that wait for the hash of a password: one is computed at a time."""
_CHALLENGE: Final = b'Basic realm="Segue", charset="UTF-8"'


class Credentials:
    """HTTP Basic (RFC 7617), against the users of the settings."""

    def __init__(self, node: Node) -> None:
        self._users = node.users
        self._limiter = trio.CapacityLimiter(_LOGINS_AT_A_TIME)

    def guarded(self, handler: Handler) -> Handler:
        """A handler that is called for those only who have proved who they are; others are answered 401."""

        def guard(exchange: Exchange) -> None:
            login, password = _basic(exchange.request.headers.get("authorization", ""))
            loopback = exchange.peer_is_loopback
            if self._users.recall(login, password, peer_is_loopback=loopback) is not None:
                _let_in(exchange, handler)
            else:
                exchange.start(lambda: self._authenticate(exchange, login, password, handler))

        return guard

    async def _authenticate(
        self, exchange: Exchange, login: str, password: str, handler: Callable[[Exchange], None]
    ) -> None:
        def check() -> None:
            self._users.authenticate(login, password, peer_is_loopback=exchange.peer_is_loopback)

        try:
            await trio.to_thread.run_sync(check, limiter=self._limiter, abandon_on_cancel=True)
        except AuthenticationFailed:
            raise unauthorized(_CHALLENGE, "The user or the password is wrong") from None
        _let_in(exchange, handler)


def unauthorized(challenge: bytes, text: str) -> HttpError:
    """The answer to who has not proved who it is; `challenge` says how that could be done (RFC 9110 §11.6.1)."""
    return HttpError(401, "unauthorized", text, headers=[(b"www-authenticate", challenge)])


def _let_in(exchange: Exchange, handler: Handler) -> None:
    exchange.authenticated()
    handler(exchange)


def _basic(value: str) -> tuple[str, str]:
    """User and password of an `Authorization` header. Raises HttpError: 401."""
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "basic":
        raise unauthorized(_CHALLENGE, "Credentials are missing: send `Authorization: Basic`")
    try:
        text = base64.b64decode(token.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise unauthorized(_CHALLENGE, "The credentials can't be read: they are not base64 of UTF-8") from None
    login, _, password = text.partition(":")
    return login, password
