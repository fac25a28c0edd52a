"""What a refusal is in HTTP, and in words where no interface has any of its own."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from segue.broker import errors
from segue.broker.errors import BrokerError
from segue.protocols.http.errors import HttpError

__all__ = ["as_http_error", "plain_text"]

_STATUSES: Final[Mapping[type[BrokerError], int]] = {
    errors.NotFoundError: 404,
    errors.InUseError: 409,
    errors.NotHeldError: 409,
    errors.LimitReachedError: 429,
    errors.ShuttingDownError: 503,
    errors.UnreadableError: 503,
}


def as_http_error(error: BrokerError) -> HttpError:
    """An error with the same code, and the same text if peers may see that; 400 where no status says more."""
    text = "What lies on disk can't be read now" if isinstance(error, errors.UnreadableError) else str(error)
    status = next((_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES), 400)
    return HttpError(status, error.code, text)


def plain_text(error: HttpError) -> bytes:
    """One line for people."""
    return f"{error.status} {HTTPStatus(error.status).phrase}: {error}\n".encode()
