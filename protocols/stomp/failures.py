"""What the node refuses, in the words of STOMP."""

from __future__ import annotations

from typing import Final

from segue.broker.errors import (
    BrokerError,
    InUseError,
    LimitReachedError,
    NotFoundError,
    NotHeldError,
    NotSupportedError,
    ShuttingDownError,
)
from segue.broker.selector import SelectorError
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError

__all__ = ["as_protocol_error"]

_CODES: Final[dict[type[BrokerError], ErrorCode]] = {
    NotFoundError: ErrorCode.NOT_FOUND,
    InUseError: ErrorCode.PRECONDITION_FAILED,
    LimitReachedError: ErrorCode.LIMIT_REACHED,
    SelectorError: ErrorCode.INVALID_HEADER,
    NotHeldError: ErrorCode.UNKNOWN_ACK,
    NotSupportedError: ErrorCode.NOT_SUPPORTED,
    ShuttingDownError: ErrorCode.SHUTTING_DOWN,
}


def as_protocol_error(failure: BrokerError) -> StompProtocolError:
    """Say in STOMP what the node refused."""
    return StompProtocolError(_CODES.get(type(failure), ErrorCode.PRECONDITION_FAILED), str(failure))
