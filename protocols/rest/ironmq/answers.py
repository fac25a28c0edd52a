"""How answers look: objects in JSON, errors as `{"msg": ...}` with the statuses that clients expect."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from segue.protocols.http import Exchange, HttpError

__all__ = ["answer_json", "answer_when_durable", "refuse_while_held", "render_error", "time_text"]

_STATUSES: Final = {409: 403, 429: 503}
"""Theirs for ours: a reservation that is over is forbidden; what is full is to be tried again, which clients do for 503
alone."""
_RETRY_LATER: Final = (b"retry-after", b"1")
_encode: Final = msgspec.json.Encoder().encode


def answer_json(exchange: Exchange, members: dict[str, Any], status: int = 200) -> None:
    """Answer with an object."""
    exchange.answer(status, _encode(members))


def answer_when_durable(exchange: Exchange, members: dict[str, Any], status: int = 200) -> None:
    """As `answer_json`, when all that was done so far is on disk."""
    body = _encode(members)
    exchange.when_durable(lambda: exchange.answer(status, body))


def render_error(exchange: Exchange, error: HttpError) -> None:
    """A `Renderer`."""
    status = _STATUSES.get(error.status, error.status)
    headers = [*error.headers, _RETRY_LATER] if status == 503 else error.headers
    exchange.answer(status, _encode({"msg": str(error)}), headers=headers)


def refuse_while_held(exchange: Exchange) -> None:
    """Raises HttpError: 503 while publishers have to wait; nothing is stored then."""
    if exchange.node.held:
        raise HttpError(503, "publishers-held", "The broker takes no messages now: try again")


def time_text(time_ms: int) -> str:
    """A time as answers have it, to the second; `time_ms`: since 1970."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
