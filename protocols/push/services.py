"""What a push queue needs of others: what all of them share, and what whoever has made it knows of its messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import trio

from segue.protocols.push.endpoints import Endpoints
from segue.protocols.push.message import PushMessage
from segue.protocols.push.results import PushResults
from segue.protocols.push.timers import Timers

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.queue import Queue

__all__ = ["PushCounts", "PushPort", "PushServices"]


class PushPort(Protocol):
    """What a push queue has to be told of its messages by whoever has put them there."""

    def message(self, queue: Queue, seq: int, record: bytes) -> PushMessage:
        """What a record is as a request.

        Args:
            queue: where it is: the push queue, or that of the tried, whose messages have their ids already.
            seq: its number there.
            record: it.
        """

    def acknowledge_url(self, queue: str, message_id: str) -> str:
        """Where a subscriber of a push queue acknowledges a message, by DELETE."""


@dataclass(slots=True)
class PushCounts:
    """What has become of messages and pushes since the start of the broker.

    Attributes:
        delivered: messages that all, or the one, subscriber has got.
        failed: messages that could not be delivered.
        pushes: that were made.
        failures: of these, those that were answered with neither 200 nor 202.
        put_off: pushes that were not made, because the endpoint is left alone.
    """

    delivered: int = 0
    failed: int = 0
    pushes: int = 0
    failures: int = 0
    put_off: int = 0


@dataclass(frozen=True, slots=True)
class PushServices:
    """What all push queues share.

    Attributes:
        node: whose queues they are.
        port: what knows their messages.
        endpoints: what pushes.
        results: what has become of messages.
        counts: how many.
        timers: of messages that wait.
        nursery: for the pushes that are under way.
        queue_in_flight_max: pushes of one queue at a time.
    """

    node: Node
    port: PushPort
    endpoints: Endpoints
    results: PushResults
    counts: PushCounts
    timers: Timers
    nursery: trio.Nursery
    queue_in_flight_max: int
