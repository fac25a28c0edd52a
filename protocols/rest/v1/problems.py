"""What is answered when a request can't be carried out: RFC 9457, with a type that stays the same.

    {"type": "/problems/invalid-body", "title": "The body is not what it should be", "status": 400,
     "detail": "Expected `int`, got `str`, at /messages/3/priority", "retryable": false,
     "pointer": "/messages/3/priority"}

`retryable` is true when the same request may succeed later; then nothing of it has been done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from segue.protocols.http import Exchange, HttpError
from segue.protocols.http.errors import Header
from segue.protocols.rest.json_body import BodyError

__all__ = [
    "PROBLEMS",
    "PROBLEM_JSON",
    "RETRY_STATUSES",
    "Problem",
    "ProblemError",
    "ProblemKind",
    "problem_of",
    "render_problem",
]

PROBLEM_JSON: Final = b"application/problem+json"
_TYPES: Final = "/problems/"
_RETRY_AFTER: Final = (b"retry-after", b"1")
RETRY_STATUSES: Final = frozenset({429, 503})
"""Statuses with which a client is told when to come again (RFC 9110 §10.2.3, RFC 6585 §4)."""


class ProblemKind(NamedTuple):
    """What is the same of all problems of one type.

    Attributes:
        status: of HTTP.
        title: a sentence for people.
        retryable: the same request may succeed later.
    """

    status: int
    title: str
    retryable: bool = False


PROBLEMS: Final[Mapping[str, ProblemKind]] = {
    "bad-json": ProblemKind(400, "The body is not JSON"),
    "bad-selector": ProblemKind(400, "The filter is no selector"),
    "bad-target": ProblemKind(400, "The path can't be read"),
    "body-too-large": ProblemKind(413, "The body is too large"),
    "conflict": ProblemKind(409, "It is there already, and is not the same"),
    "content-encoding": ProblemKind(415, "The body has a Content-Encoding"),
    "foreign-origin": ProblemKind(403, "A page of another site has asked"),
    "in-use": ProblemKind(409, "It is in use"),
    "incomplete-body": ProblemKind(400, "The connection ended before the body did"),
    "internal-error": ProblemKind(500, "An error in Segue"),
    "invalid-body": ProblemKind(400, "The body is not what it should be"),
    "invalid-parameter": ProblemKind(400, "A parameter is not what it should be"),
    "limit-reached": ProblemKind(429, "A limit is reached", retryable=True),
    "method-not-allowed": ProblemKind(405, "That is not done here"),
    "not-found": ProblemKind(404, "It is not there"),
    "not-held": ProblemKind(409, "The lease is over"),
    "not-supported": ProblemKind(400, "That is not possible here"),
    "precondition-failed": ProblemKind(412, "It has changed"),
    "publishers-held": ProblemKind(503, "Publishers have to wait", retryable=True),
    "request-timeout": ProblemKind(408, "The request did not come in time", retryable=True),
    "shutting-down": ProblemKind(503, "The broker is shutting down", retryable=True),
    "unauthorized": ProblemKind(401, "Credentials are missing or wrong"),
    "unknown-host": ProblemKind(403, "The host that was asked is not this one"),
    "unreadable": ProblemKind(503, "What lies on disk can't be read now", retryable=True),
    "unsupported-media-type": ProblemKind(415, "The body is of a type that is not taken here"),
}
"""Every type that this API answers with; docs/reference/http-api.md has the list."""


class Problem(msgspec.Struct, omit_defaults=True):
    """What is wrong with a request, in the words of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    retryable: bool = msgspec.field()
    pointer: str = ""
    parameter: str = ""


class ProblemError(HttpError):
    """A request that this API refuses.

    Attributes:
        pointer: to the member of the body that is wrong, RFC 6901.
        parameter: the name of the parameter that is.
    """

    def __init__(self, code: str, text: str, *, pointer: str = "", parameter: str = "") -> None:
        super().__init__(PROBLEMS[code].status, code, text)
        self.pointer = pointer
        self.parameter = parameter


def problem_of(error: HttpError) -> Problem:
    """An error as it is shown to the client."""
    kind = PROBLEMS.get(error.code) or ProblemKind(error.status, error.code)
    return Problem(
        type=_TYPES + error.code,
        title=kind.title,
        status=error.status,
        detail=str(error),
        retryable=kind.retryable,
        pointer=error.pointer if isinstance(error, BodyError | ProblemError) else "",
        parameter=error.parameter if isinstance(error, ProblemError) else "",
    )


def render_problem(exchange: Exchange, error: HttpError) -> None:
    """See `segue.protocols.http.routes.Renderer`."""
    headers: list[Header] = [*error.headers]
    if error.status in RETRY_STATUSES:
        headers.append(_RETRY_AFTER)
    body = msgspec.json.encode(problem_of(error)) + b"\n"
    exchange.answer(error.status, body, content_type=PROBLEM_JSON, headers=headers)
