"""What can be wrong between a STOMP peer and us, under codes that never change, and the texts that the peer is told.

One root, `StompError`, with two branches: `StompProtocolError` is the peer's fault and becomes an ERROR frame, after
which the connection is closed (STOMP 1.2, "ERROR": the server MUST close it); `StompMisuseError` is ours, and is a bug.

A code is what programs rely on; it travels in the header `error-code`. The text of the `message` header belongs to the
code. Users of RabbitMQ match some of these texts, so where RabbitMQ has one for the same fault, ours is the same.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["ErrorCode", "StompError", "StompMisuseError", "StompProtocolError", "not_supported", "quote"]

# A peer's own words are repeated to it only as far as they help: RabbitMQ repeats them all, a megabyte if need be.
_QUOTED_CHARACTERS_MAX: Final = 100


class ErrorCode(Enum):
    """Every fault that ends a STOMP connection: a stable code, and the text of the ERROR frame's `message` header."""

    BAD_COMMAND = "bad-command", "Bad command"
    BAD_FRAME = "bad-frame", "Bad frame"
    BAD_HEADER = "bad-header", "Bad header"
    BAD_ESCAPE = "bad-escape", "Undefined escape sequence"
    BAD_ENCODING = "bad-encoding", "Header is not UTF-8"
    BAD_CONTENT_LENGTH = "bad-content-length", "Bad content-length"
    BAD_HEART_BEAT = "bad-heart-beat", "Bad heart-beat"
    HEADER_TOO_LARGE = "header-too-large", "Header too large"
    FRAME_TOO_LARGE = "frame-too-large", "Frame too large"
    UNEXPECTED_COMMAND = "unexpected-command", "Unexpected command"
    BAD_CONNECT = "bad-connect", "Bad CONNECT"
    VERSION_MISMATCH = "version-mismatch", "Version mismatch"
    MISSING_HEADER = "missing-header", "Missing header"
    INVALID_HEADER = "invalid-header", "Invalid header"
    MISSING_DESTINATION = "missing-destination", "Missing destination"
    INVALID_DESTINATION = "invalid-destination", "Invalid destination"
    UNKNOWN_DESTINATION = "unknown-destination", "Unknown destination"
    NOT_SUPPORTED = "not-supported", "Not supported"
    DUPLICATE_SUBSCRIPTION = "duplicate-subscription", "Duplicated subscription identifier"
    UNKNOWN_SUBSCRIPTION = "unknown-subscription", "No subscription found"
    UNKNOWN_ACK = "unknown-ack", "Unknown acknowledgement"
    DUPLICATE_TRANSACTION = "duplicate-transaction", "Duplicated transaction identifier"
    UNKNOWN_TRANSACTION = "unknown-transaction", "Unknown transaction"
    NOT_FOUND = "not-found", "not_found"
    PRECONDITION_FAILED = "precondition-failed", "precondition_failed"
    LIMIT_REACHED = "limit-reached", "Limit reached"
    UNREADABLE = "unreadable", "Unreadable"
    HEART_BEAT_MISSED = "heart-beat-missed", "Heart-beat missed"
    TIMED_OUT = "timed-out", "Timed out"
    CLOSED_BY_OPERATOR = "closed-by-operator", "Closed by the operator"
    SHUTTING_DOWN = "shutting-down", "Shutting down"
    INTERNAL_ERROR = "internal-error", "Internal error"

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        self.text = text


class StompError(Exception):
    """Root of everything that the STOMP codec raises."""


class StompMisuseError(StompError):
    """We used the codec in a way that it does not allow; no peer can cause this."""


class StompProtocolError(StompError):
    """The peer broke a rule, or asked for what it cannot have. The connection does not survive it.

    Args:
        code: which fault it is.
        body: a sentence or two for the person who looks for the fault; never the text of another exception.
        message: in place of the code's own text, for the `message` header.
        receipt: the offending frame's `receipt` header as it came on the wire, still escaped, if it is known.
        headers: more headers for the ERROR frame, as (name, value), not escaped.
    """

    def __init__(
        self,
        code: ErrorCode,
        body: str,
        *,
        message: str | None = None,
        receipt: bytes | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(code, body)
        self.code = code
        self.message = code.text if message is None else message
        self.body = body
        self.receipt_id = receipt
        self.headers = headers

    def __str__(self) -> str:
        return f"{self.message}: {self.body}"


def quote(text: str) -> str:
    """Return what a peer said in a form that can stand in an error text: shortened, and without control characters."""
    short = text if len(text) <= _QUOTED_CHARACTERS_MAX else text[:_QUOTED_CHARACTERS_MAX] + "…"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in short)


def not_supported(what: str) -> StompProtocolError:
    """The error for what a client may ask of other brokers, but not of this one."""
    return StompProtocolError(ErrorCode.NOT_SUPPORTED, f"Segue does not have {what}")
