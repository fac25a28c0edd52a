"""Finding the message that a request names.

An id is a place: whether the message is still there is known at once, at any depth. Only a message that was moved since
it got its id (it was delayed, released with a delay, or is a dead letter) has to be looked for: among what is reserved,
and in the first few MiB of its queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from segue.broker.browse import Browser
from segue.broker.by_number import Place, read_one, whereabouts
from segue.broker.errors import NotHeldError
from segue.broker.headers import Headers
from segue.broker.schedule.listing import Found as Scheduled
from segue.broker.schedule.listing import find
from segue.protocols.http import HttpError
from segue.protocols.rest.ironmq.message_id import ID_HEADER, MessageId, id_of, read_id

if TYPE_CHECKING:
    from segue.broker.leases import Lease
    from segue.broker.node import Node
    from segue.broker.queue import Queue

__all__ = ["Named", "held", "look_for", "message_not_found", "placed", "record_of", "reserved"]

_LOOKED_THROUGH_BYTES: Final = 4 << 20
_WINDOW_BYTES: Final = 1 << 20

Named: TypeAlias = "int | Lease | Scheduled"
"""Where a message is: its number in the queue, who has reserved it, or its place in the schedule."""


def held(node: Node, queue: Queue, text: str, reservation_id: str) -> Lease:
    """The lease of a message.

    Raises:
        HttpError: 403: the reservation is over, or another message's; 404: the message is gone.
    """
    try:
        lease = node.leases.lease(reservation_id)
    except NotHeldError:
        message_id = read_id(text)
        if message_id is None or _is_gone(queue, message_id):
            raise message_not_found() from None
        raise HttpError(403, "not-reserved", "Reservation timed out") from None
    if lease.queue is not queue or id_of(queue, lease.seq, lease.record) != text:
        raise HttpError(403, "not-reserved", "The reservation is another message's")
    return lease


def placed(queue: Queue, text: str) -> int | None:
    """The number of a message that nobody has, if it is where its id says; None: it has to be looked for.

    Raises:
        HttpError: 403: somebody has reserved it; 404: it never was in this queue.
    """
    message_id = read_id(text)
    if message_id is None:
        raise message_not_found()
    if message_id.log != queue.log.id:
        return None
    place = whereabouts(queue, message_id.number).place
    if place is Place.OUT:
        raise reserved()
    return message_id.number if place is Place.READY else None


async def look_for(node: Node, queue: Queue, text: str) -> Named:
    """A message that is not where its id says.

    Raises:
        HttpError: 404: it was not found.
        UnreadableError: what lies on disk can't be read.
    """
    message_id = read_id(text)
    for lease in node.leases.of(queue):
        if id_of(queue, lease.seq, lease.record) == text:
            return lease
    if message_id is not None and message_id.scheduled is not None:
        scheduled = await find(node.schedule, message_id.scheduled)
        if scheduled is not None and scheduled.message.targets == "q" + queue.name:
            return scheduled
    browser, looked_through = Browser(queue), 0
    while looked_through < _LOOKED_THROUGH_BYTES and (window := await browser.chunk(_WINDOW_BYTES)):
        for number, record in window:
            if Headers(record).get(ID_HEADER) == text:
                return number
            looked_through += len(record)
    raise message_not_found()


async def record_of(node: Node, queue: Queue, text: str) -> tuple[int, bytes]:
    """A message by its id, reserved or not: its number, 0 where it is not in the queue yet, and its record.

    Raises:
        HttpError: 404.
        UnreadableError: as above.
    """
    message_id = read_id(text)
    if message_id is None:
        raise message_not_found()
    if message_id.log == queue.log.id and not _is_gone(queue, message_id):
        record = await read_one(queue, message_id.number)
        if record is not None and id_of(queue, message_id.number, record) == text:
            return message_id.number, record
    found = await look_for(node, queue, text)
    if isinstance(found, Scheduled):
        return 0, found.message.record
    number = found if isinstance(found, int) else found.seq
    record = await read_one(queue, number)
    if record is None:
        raise message_not_found()
    return number, record


def message_not_found() -> HttpError:
    """The answer for a message that is not there."""
    return HttpError(404, "message-not-found", "Message not found")


def reserved() -> HttpError:
    """The answer to who wants to delete what somebody else has reserved."""
    return HttpError(403, "reserved", "The message is reserved: deleting it needs its reservation_id")


def _is_gone(queue: Queue, message_id: MessageId) -> bool:
    return message_id.log == queue.log.id and whereabouts(queue, message_id.number).place is Place.GONE
