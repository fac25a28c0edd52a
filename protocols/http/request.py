"""A request as handlers see it, and its target taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from segue.protocols.http.errors import Header, HttpError

__all__ = ["Request", "split_target"]

_escape: Final = re.compile(r"%(?![0-9A-Fa-f]{2})").search
# What is no part of a name, and what a file system or a log would stumble over: / and controls.
_forbidden: Final = re.compile(r"[/\x00-\x1f\x7f]").search


class Request:
    """One request, whole.

    Attributes:
        method: upper case, such as `GET`.
        segments: of the path, decoded: `/a/b%20c` has `a` and `b c`.
        query: decoded; of a name that comes twice, the last value.
        headers: by their names in lower case; values of one name joined by commas.
        body: without its transfer coding.
        path: as it came, without the query.
        parameters: segments by the names that the route has for them.
    """

    __slots__ = ("body", "headers", "method", "parameters", "path", "query", "segments")

    def __init__(self, method: str, target: str, headers: Sequence[Header], body: bytes = b"") -> None:
        """Raises HttpError: see `split_target`."""
        self.method = method
        self.path, self.segments, self.query = split_target(target)
        self.headers: Mapping[str, str] = _join(headers)
        self.body = body
        self.parameters: dict[str, str] = {}


def split_target(target: str) -> tuple[str, list[str], dict[str, str]]:
    """The path as it came, its segments and the query, both decoded.

    Args:
        target: begins with a slash (framing.py sees to it).

    Raises:
        HttpError: 400: it is one that means different things to different readers.
    """
    path, _, query = target.partition("?")
    if _escape(target) is not None:
        raise _bad_target("'%' stands without two hexadecimal digits")
    segments = [_decode(segment) for segment in path[1:].split("/")] if path != "/" else []
    if segments and not segments[-1]:
        segments.pop()  # one slash at the end changes nothing
    for segment in segments:
        if segment in ("", ".", ".."):
            raise _bad_target("a segment of the path is empty, '.' or '..'")
        if _forbidden(segment) is not None:
            raise _bad_target("a segment of the path has a slash or a control character in it")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return path, segments, {_decode(name, plus=True): _decode(value, plus=True) for name, _, value in pairs}


def _decode(text: str, *, plus: bool = False) -> str:
    if plus:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise _bad_target("it is not UTF-8") from None


def _join(headers: Sequence[Header]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _bad_target(reason: str) -> HttpError:
    return HttpError(400, "bad-target", f"The request target can't be read: {reason}")
