"""What one header says: a flag, a number, one of several names for the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote

__all__ = ["invalid_value", "read_boolean", "read_first", "read_number", "required"]

_NUMBER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}


def required(headers: Mapping[str, str], name: str, command: str) -> str:
    """Return a header that the command can't do without.

    Raises:
        StompProtocolError: MISSING_HEADER.
    """
    value = headers.get(name)
    if value is None:
        raise StompProtocolError(ErrorCode.MISSING_HEADER, f'"{command}" must include the "{name}" header')
    return value


def read_first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the first of several headers that is there."""
    return next((headers[name] for name in names if name in headers), None)


def read_boolean(headers: Mapping[str, str], name: str) -> bool | None:
    """Return what a flag says; None without it.

    Raises:
        StompProtocolError: INVALID_HEADER.
    """
    text = headers.get(name)
    if text is None:
        return None
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise invalid_value(name, text, "it is true or false")
    return value


def read_number(headers: Mapping[str, str], name: str, minimum: int, maximum: int | None = None) -> int | None:
    """Return a whole number of at most 18 digits, within its bounds; None without it.

    Raises:
        StompProtocolError: INVALID_HEADER.
    """
    text = headers.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) < minimum or (maximum is not None and int(text) > maximum):
        up_to = "" if maximum is None else f" to {maximum}"
        raise invalid_value(name, text, f"it is a number from {minimum}{up_to}")
    return int(text)


def invalid_value(name: str, text: str, reason: str) -> StompProtocolError:
    """Return the error for a value that can't be, and `reason`, what it may be."""
    return StompProtocolError(ErrorCode.INVALID_HEADER, f"'{quote(text)}' is no value for '{name}': {reason}")
