"""The errors of the broker's model: what was asked and can't be had. A front-end says it in its protocol's words."""

from __future__ import annotations

__all__ = [
    "BrokerError",
    "InUseError",
    "LimitReachedError",
    "NotFoundError",
    "NotHeldError",
    "NotSupportedError",
    "ShuttingDownError",
    "TransactionError",
    "UnreadableError",
]


class BrokerError(Exception):
    """Root of what the model raises because of what a peer asked. The text may be shown to that peer.

    Each class has a stable `code`.
    """

    code = "broker"


class NotFoundError(BrokerError):
    """There is no such queue, topic, subscription or connection (or it is not for this peer to see)."""

    code = "not-found"


class InUseError(BrokerError):
    """It has consumers or messages, or belongs to another connection, and may not be touched now."""

    code = "in-use"


class LimitReachedError(BrokerError):
    """A limit of the configuration is reached; the text names it."""

    code = "limit-reached"


class UnreadableError(BrokerError):
    """What lies on disk can't be read now; the text says why. For operators, not for peers."""

    code = "unreadable"


class NotHeldError(BrokerError):
    """An acknowledgement of a message that this consumer does not hold. Nothing has changed."""

    code = "not-held"


class NotSupportedError(BrokerError):
    """What is asked for makes sense, but not here."""

    code = "not-supported"


class TransactionError(BrokerError):
    """A transaction is used in a way that its state does not allow."""

    code = "transaction"


class ShuttingDownError(BrokerError):
    """The broker stops; nothing new is begun."""

    code = "shutting-down"
