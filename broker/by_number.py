"""Messages of a queue by their numbers: where one stands, its bytes, and taking it out. At any depth at the same cost.

Front-ends whose peers name single messages, and jobs, go round the order of a queue in this way. What they may take out
is what is *ready*: in nobody's hands. The rest is its holder's.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from segue.broker.errors import LimitReachedError
from segue.broker.levels import SEQ_BITS, SEQ_MASK
from segue.broker.log_part import read_part
from segue.storage.api import CONDEMNED, Cursor

if TYPE_CHECKING:
    from segue.broker.queue import Queue

__all__ = ["GAPS_MAX", "Place", "Whereabouts", "check_gaps", "read_one", "take_out", "whereabouts"]

GAPS_MAX: Final = 1 << 18
"""Ranges that were taken out of the middle of a queue: 4 MiB of memory, and as much to write at each checkpoint."""


class Place(Enum):
    """Where a message stands."""

    READY = "ready"
    OUT = "out"
    """With a consumer."""
    LEAVING = "leaving"
    """It is a dead letter, or put off, and is moved as soon as its bytes are at hand."""
    DAMAGED = "damaged"
    """Set aside: its bytes can't be read."""
    GONE = "gone"
    """Settled, or never there."""


class Whereabouts(NamedTuple):
    """Where a message stands, and how often it was delivered since it is in this queue."""

    place: Place
    deliveries: int


def whereabouts(queue: Queue, number: int) -> Whereabouts:
    """Look for a message. What is not on disk yet is not there."""
    cursor, seq = _cursor_of(queue, number)
    if cursor is None or not 1 <= seq < cursor.log.durable:
        return Whereabouts(Place.GONE, 0)
    if seq >= cursor.next:
        return Whereabouts(Place.READY if cursor.is_ready(seq) else Place.GONE, 0)
    if (standing := cursor.returned.get(seq)) is not None:
        return Whereabouts(Place.LEAVING if standing >= CONDEMNED else Place.READY, standing % CONDEMNED)
    for container in queue.cursor.out:
        if (deliveries := container.get(number)) is not None:
            return Whereabouts(Place.OUT, deliveries)
    if any(first <= seq <= last for first, last, _ in cursor.quarantined):
        return Whereabouts(Place.DAMAGED, 0)
    return Whereabouts(Place.GONE, 0)


async def read_one(queue: Queue, number: int) -> bytes | None:
    """The record of a message; None when it is gone, or damaged.

    Raises:
        UnreadableError: what lies on disk can't be read.
    """
    cursor, seq = _cursor_of(queue, number)
    if cursor is None or not 1 <= seq < cursor.log.durable:
        return None
    found, _ = await read_part(cursor.log, seq, seq + 1, 1, f"queue '{queue.name}'")
    return found[0][1] if found else None


def check_gaps(queue: Queue) -> None:
    """Raises LimitReachedError when nothing more can be taken out of the middle of a queue for now."""
    places = queue.cursor.gap_ranges
    if places >= GAPS_MAX:
        raise LimitReachedError(
            f"messages were taken out of {places} places of queue '{queue.name}': more when consumers have come past "
            "some of them"
        )


def take_out(queue: Queue, numbers: Sequence[int]) -> None:
    """Settle messages that are ready, wherever they stand; numbers that rise. Durable with the open batch."""
    cursor, dispatcher = queue.cursor, queue.dispatcher
    returned = [number for number in numbers if number in cursor.returned]
    cursor.settle_ahead([number for number in numbers if number not in cursor.returned])
    if dispatcher.look_ahead is not None:
        cursor.settle(dispatcher.look_ahead.take_out(returned))
        queue.node.touched(dispatcher)  # what stood behind them may be for somebody who has waited
    cursor.drop_returned(returned)


def _cursor_of(queue: Queue, number: int) -> tuple[Cursor | None, int]:
    """The cursor of one log that a number belongs to, and its sequence number there."""
    if isinstance(queue.cursor, Cursor):
        return (queue.cursor, number) if number <= SEQ_MASK else (None, 0)
    tag = number >> SEQ_BITS << SEQ_BITS
    return dict(queue.cursor.cursors()).get(tag), number & SEQ_MASK
