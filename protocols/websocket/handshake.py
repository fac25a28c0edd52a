"""The opening handshake (RFC 6455 §4.2): whether a request asks for a WebSocket, and the headers of the answer."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import Final

from wsproto.utilities import generate_accept_token

from segue.protocols.http import HttpError, Request
from segue.protocols.http.errors import Header

__all__ = ["accept", "choose_subprotocol"]

_VERSION: Final = "13"
_KEY_BYTES: Final = 16


def accept(request: Request, names: Sequence[str]) -> list[Header]:
    """The headers of `101 Switching Protocols`, without `Upgrade` and `Connection`. No extension is accepted.

    Args:
        request: what has come.
        names: of subprotocols, the best first.

    Raises:
        HttpError: 400 or 426: it is not the request for a WebSocket, or for one that we know.
    """
    headers = request.headers
    if request.method != "GET" or "websocket" not in _words(headers.get("upgrade", "")):
        raise _upgrade_required("This path is for WebSocket: the request has no Upgrade to it")
    if "upgrade" not in _words(headers.get("connection", "")):
        raise _upgrade_required("The request has no 'Connection: Upgrade': has a proxy taken it away?")
    if headers.get("sec-websocket-version") != _VERSION:
        raise _upgrade_required(f"The version of WebSocket is {_VERSION}")
    key = headers.get("sec-websocket-key", "")
    if not _is_key(key):
        raise HttpError(400, "bad-websocket-key", "Sec-WebSocket-Key is not 16 octets in base64")
    answer = [(b"sec-websocket-accept", generate_accept_token(key.encode()))]
    chosen = choose_subprotocol(headers.get("sec-websocket-protocol", ""), names)
    if chosen is not None:
        answer.append((b"sec-websocket-protocol", chosen.encode()))
    return answer


def choose_subprotocol(offered: str, names: Sequence[str]) -> str | None:
    """The best of what the client speaks; None if nothing is, which leaves it to the client whether to go on."""
    words = [word.strip() for word in offered.split(",")]
    return next((name for name in names if name in words), None)


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.lower().split(",")]


def _is_key(key: str) -> bool:
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == _KEY_BYTES
    except ValueError:
        return False


def _upgrade_required(text: str) -> HttpError:
    headers = [(b"upgrade", b"websocket"), (b"connection", b"upgrade"), (b"sec-websocket-version", _VERSION.encode())]
    return HttpError(426, "upgrade-required", text, headers=headers)
