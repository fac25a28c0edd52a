"""The transactions that frames name."""

from __future__ import annotations

from segue.broker.session import Session
from segue.broker.transaction import Transaction
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote

__all__ = ["open_transaction"]


def open_transaction(session: Session, name: str) -> Transaction:
    """A session's open transaction of a name.

    Raises:
        StompProtocolError: there is none.
    """
    if not session.has_transaction(name):
        raise StompProtocolError(ErrorCode.UNKNOWN_TRANSACTION, f"No transaction '{quote(name)}' is open")
    return session.transaction(name)
