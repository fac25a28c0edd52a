"""What can be proved against a broker, and how it is put into words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from tests.helpers.history.account import Delivery

__all__ = ["Kind", "Violation", "describe"]


class Kind(StrEnum):
    """What can be proved against a broker."""

    LOST = "a message that was confirmed, or had been seen, is gone without an acknowledgement"
    AFTER_ACK = "delivered after its acknowledgement had been confirmed"
    UNFLAGGED = "repeated without redelivered:true"
    OUT_OF_ORDER = "not in the order of acceptance"
    OVERTAKEN = "a returned message came back after one that had never been delivered"
    OUT_TWICE = "out with two consumers at the same time"
    CORRUPTED = "the body is not the one that was published"
    STRANGER = "nobody published it, or not to this queue"
    NOT_COMMITTED = "of a transaction that was never committed"
    TORN = "one part of a transaction took effect, and another did not"
    COUNT = "the delivery count did not rise"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    kind: Kind
    subject: str
    proof: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.kind} ({self.proof})"


def describe(delivery: Delivery) -> str:
    """A delivery and its fate in one line."""
    event = delivery.event
    flag = "redelivered" if event.redelivered else "first"
    parts = [f"{event.connection}#{event.number} from {event.queue} at {event.at:.6f} ({flag})"]
    fates = {
        "ack sent": delivery.ack_sent,
        "ack confirmed": delivery.ack_confirmed,
        "nack sent": delivery.nack_sent,
        "nack confirmed": delivery.nack_confirmed,
    }
    parts += [f"{fate} {at:.6f}" for fate, at in fates.items() if at < math.inf]
    return ", ".join(parts)
