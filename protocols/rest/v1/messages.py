"""Single messages, outside of the order of their queue: looked at, a page or one by its id, and deleted.

Neither costs more in a deep queue: an id is a place, and a page begins where the one before has ended.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from segue.broker.browse import Browser
from segue.broker.by_number import Place, check_gaps, read_one, take_out, whereabouts
from segue.broker.errors import InUseError, NotFoundError, UnreadableError
from segue.broker.publication import message_id
from segue.broker.queue import Queue
from segue.protocols.rest.v1.destinations import QueueNamed, existing_queue
from segue.protocols.rest.v1.message_view import MessageView, view
from segue.protocols.rest.v1.operation import Call
from segue.protocols.rest.v1.problems import ProblemError

__all__ = [
    "Browsing",
    "DeletedMessage",
    "MessageNamed",
    "MessagePage",
    "StoredMessage",
    "browse",
    "delete_message",
    "show_message",
]

_LIMIT_MAX: Final = 100
_PAGE_BYTES: Final = 4 << 20
"""With so much, a page ends; one message at least is on it."""
_READ_BYTES: Final = 256 << 10
_id: Final = re.compile(r"(\d{1,20})-(\d{1,20})").fullmatch
_STATES: Final = {Place.READY: "ready", Place.OUT: "in_flight", Place.LEAVING: "leaving"}


class Browsing(QueueNamed):
    """Parameters of a page."""

    state: Annotated[
        Literal["ready", "in_flight"], Meta(description="`ready`: can be taken; `in_flight`: is with a consumer.")
    ] = "ready"
    after: Annotated[str, Meta(description="Only messages behind this one: `next` of the page before.")] = ""
    limit: Annotated[int, Meta(ge=1, le=_LIMIT_MAX, description="So many, and some MiB, at most.")] = 20


class MessageNamed(QueueNamed):
    """Parameters of what is done with a message."""

    message: Annotated[str, Meta(description="The id of a message.")]


class MessagePage(msgspec.Struct):
    """Messages, in the order in which they would be delivered; those with consumers in that of their numbers."""

    messages: list[MessageView]
    next: Annotated[str | None, Meta(description="`after` of the next page; null: this is the last.")]


class StoredMessage(msgspec.Struct):
    """A message, and where it stands."""

    state: Annotated[str, Meta(description="`ready`, `in_flight`, or `leaving`: it is put off, or a dead letter.")]
    message: MessageView


class DeletedMessage(msgspec.Struct):
    """A message that is no more."""

    id: str


def browse(call: Call[Browsing, None]) -> None:
    """One page."""
    queue = existing_queue(call.node, call.parameters.queue)
    after = _number(queue, call.parameters.after, "after") if call.parameters.after else 0
    read = _ready if call.parameters.state == "ready" else _in_flight

    async def answer() -> None:
        limit = call.parameters.limit
        found = await read(queue, after, limit + 1)
        clock = call.node.clock
        shown = [view(message_id(queue, number), record, count, clock) for number, record, count in found[:limit]]
        is_last = len(found) <= limit and sum(len(record) for _, record, _ in found) < _PAGE_BYTES
        call.answer(MessagePage(shown, None if is_last else shown[-1].id))

    call.exchange.start(answer)


def show_message(call: Call[MessageNamed, None]) -> None:
    """One message."""
    queue = existing_queue(call.node, call.parameters.queue)
    number = _number(queue, call.parameters.message, "message")
    call.exchange.start(partial(_show, call, queue, number))


async def _show(call: Call[MessageNamed, None], queue: Queue, number: int) -> None:
    if whereabouts(queue, number).place is Place.DAMAGED:
        raise UnreadableError(f"message '{call.parameters.message}' is damaged, and set aside")
    record = await read_one(queue, number)
    found = whereabouts(queue, number)  # it may have been settled while it was read
    if record is None or found.place not in _STATES:
        raise _gone(call.parameters.message)
    shown = view(call.parameters.message, record, found.deliveries, call.node.clock)
    call.answer(StoredMessage(_STATES[found.place], shown))


def delete_message(call: Call[MessageNamed, None]) -> None:
    """Delete a message that is ready; one that a consumer has is his to settle."""
    queue = existing_queue(call.node, call.parameters.queue)
    number = _number(queue, call.parameters.message, "message")
    place = whereabouts(queue, number).place
    if place in (Place.OUT, Place.LEAVING):
        raise InUseError(f"message '{call.parameters.message}' is not ready, but {_STATES[place]}")
    if place is not Place.READY:
        raise _gone(call.parameters.message)
    check_gaps(queue)
    take_out(queue, [number])
    call.answer_when_durable(DeletedMessage(call.parameters.message))


async def _ready(queue: Queue, after: int, limit: int) -> list[tuple[int, bytes, int]]:
    """Number, record and deliveries of messages that are ready."""
    browser = Browser(queue, after=after)
    found: list[tuple[int, bytes, int]] = []
    size = 0
    while len(found) < limit and size < _PAGE_BYTES and (chunk := await browser.chunk(_READ_BYTES)):
        found += [(number, record, whereabouts(queue, number).deliveries) for number, record in chunk]
        size += sum(len(record) for _, record in chunk)
    return found[:limit]


async def _in_flight(queue: Queue, after: int, limit: int) -> list[tuple[int, bytes, int]]:
    """The same of those that are with consumers."""
    out = {number: count for container in queue.cursor.out for number, count in container.items() if number > after}
    found: list[tuple[int, bytes, int]] = []
    size = 0
    for number in sorted(out)[:limit]:
        if size < _PAGE_BYTES and (record := await read_one(queue, number)) is not None:
            found.append((number, record, out[number]))
            size += len(record)
    return found


def _number(queue: Queue, text: str, parameter: str) -> int:
    """The number of the message of an id.

    Raises:
        NotFoundError: it is no message of this queue.
        ProblemError: it is no id.
    """
    read = _id(text)
    if read is None:
        raise ProblemError("invalid-parameter", f"'{text[:50]}' is no id of a message", parameter=parameter)
    if int(read[1]) != queue.log.id:
        raise NotFoundError(f"no message '{text[:50]}' in queue '{queue.name}'")
    return int(read[2])


def _gone(given: str) -> NotFoundError:
    return NotFoundError(f"no message '{given}': it is settled, or never was")
