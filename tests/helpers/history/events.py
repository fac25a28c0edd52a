"""What a client may write into its history, and the rules of writing by which the checker can be exact.

Every event has the time at which it was recorded (CLOCK_MONOTONIC, one clock for all processes of a machine) and the
connection that it happened on. A connection is one login: a client that comes back writes under a new name.

Rules of writing:

1. What is *sent* is recorded before its first octet leaves; what is *received* after its last octet was read. So a sent
   event is never later than its effect in the broker, a received one never earlier.
2. A connection opens with `Opened`, recorded before the connection attempt, and ends with `Lost`. A client that leaves
   on its own account records `Lost(by="client")` before it closes; one that finds its connection gone records
   `Lost(by="broker")` after that. Either says when a DISCONNECT was about to leave, if there was one. Nothing follows
   on that connection.
3. After `BrokerEnded` (recorded after the process is gone) the broker is started again only when every connection of
   that life has recorded its `Lost`: so that no client still reads, from a socket's buffer, what the dead broker sent.
4. `Drained` says: all other consumers are gone, the queue was read to its end, by the marker behind everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "AckConfirmed",
    "AckSent",
    "BrokerEnded",
    "BrokerStarted",
    "Delivered",
    "Drained",
    "Event",
    "Lost",
    "NackConfirmed",
    "NackSent",
    "Opened",
    "PublishConfirmed",
    "PublishSent",
    "Subscribed",
    "TransactionConfirmed",
    "TransactionSent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a client, or whoever starts and kills the broker, has seen or done."""

    at: float
    connection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Event):
    """The client is about to connect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Event):
    """The connection is over.

    Args:
        by: Who ended it.
        began: When DISCONNECT was about to leave, if it was sent.
        settled: The RECEIPT of DISCONNECT has come, so everything is back in its queue.
    """

    by: Literal["client", "broker"]
    began: float | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed(Event):
    """A SUBSCRIBE is about to leave."""

    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishSent(Event):
    """A SEND is about to leave; `message` is unique in the history, `digest` is that of the body."""

    queue: str
    message: str
    digest: str
    transaction: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishConfirmed(Event):
    """The receipt of a SEND outside a transaction has come."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered(Event):
    """A MESSAGE has come; `number` counts the deliveries of this connection."""

    queue: str
    message: str
    digest: str
    number: int
    redelivered: bool
    delivery_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AckSent(Event):
    """An ACK for the delivery `number` of this connection is about to leave."""

    number: int
    transaction: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AckConfirmed(Event):
    """The receipt of an ACK outside a transaction has come."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NackSent(Event):
    """A NACK is about to leave."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NackConfirmed(Event):
    """The receipt of a NACK has come."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionSent(Event):
    """COMMIT or ABORT is about to leave. The name of a transaction is unique in the history."""

    transaction: str
    outcome: Literal["commit", "abort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionConfirmed(Event):
    """The receipt of COMMIT or ABORT has come."""

    transaction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerStarted(Event):
    """The broker is about to be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerEnded(Event):
    """The broker's process is gone.

    Args:
        began: When the signal was about to be sent.
        killed: It had no chance to say good-bye. A client whose connection ends after `began` then knows that the
            broker served it until the end.
    """

    began: float
    killed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained(Event):
    """The queue was read to its end on this connection, with no other consumer left."""

    queue: str
