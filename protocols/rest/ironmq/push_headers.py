"""Headers that a message brings for its pushes: which may be set, and how many (IronMQ's limits)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from segue.protocols.http import HttpError

__all__ = ["check_push_headers", "taken_from"]

_COUNT_MAX: Final = 5
_NAME_BYTES_MAX: Final = 64
_VALUE_BYTES_MAX: Final = 1024
_OURS: Final = frozenset(
    {
        *("content-type", "user-agent", "iron-message-id", "iron-reservation-id", "iron-subscriber-name"),
        "iron-subscriber-message-url",
    }
)
_WEBHOOK_PREFIX: Final = "x-subscribers-"


def check_push_headers(headers: Mapping[str, str] | None) -> None:
    """Look at the headers of a message that is posted. Raises HttpError: 400."""
    if not headers:
        return
    if len(headers) > _COUNT_MAX:
        raise HttpError(400, "push-headers", f"A message has at most {_COUNT_MAX} push headers")
    for name, value in headers.items():
        if not _is_allowed(name, value):
            raise HttpError(400, "push-headers", f"The push header {name[:_NAME_BYTES_MAX]!r} can't be set so")


def taken_from(headers: Mapping[str, str]) -> dict[str, str]:
    """Those that a webhook's own headers name, `X-Subscribers-NAME`; what may not be set is left out."""
    named = {name.removeprefix(_WEBHOOK_PREFIX): headers[name] for name in headers if name.startswith(_WEBHOOK_PREFIX)}
    allowed = [(name, value) for name, value in named.items() if _is_allowed(name, value)]
    return dict(allowed[:_COUNT_MAX])


def _is_allowed(name: str, value: str) -> bool:
    token = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    text = value.isprintable()  # a line end would begin another header
    sizes = len(name) <= _NAME_BYTES_MAX and 1 <= len(value.encode()) <= _VALUE_BYTES_MAX
    return token and text and sizes and name.lower() not in _OURS
