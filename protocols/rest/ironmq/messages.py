"""Messages: posted, looked at, deleted, cleared."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio
from msgspec import Struct

from segue.broker.browse import Browser
from segue.broker.by_number import Place, check_gaps, take_out, whereabouts
from segue.broker.schedule.listing import Found as Scheduled
from segue.broker.schedule.listing import Listing
from segue.protocols.http import Exchange, HttpError
from segue.protocols.rest.ironmq.answers import answer_json, answer_when_durable, refuse_while_held
from segue.protocols.rest.ironmq.lookup import (
    Named,
    held,
    look_for,
    message_not_found,
    placed,
    record_of,
    reserved,
)
from segue.protocols.rest.ironmq.message import show_message
from segue.protocols.rest.ironmq.naming import existing_queue, named_queue
from segue.protocols.rest.ironmq.posting import NewMessage, post
from segue.protocols.rest.ironmq.push_headers import taken_from
from segue.protocols.rest.json_body import read_json

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.queue import Queue

__all__ = [
    "clear_queue",
    "delete_message",
    "delete_messages",
    "get_message",
    "peek_messages",
    "post_messages",
    "post_webhook",
]

_PEEKED_MAX: Final = 100
_DELETED_MAX: Final = 100
_WINDOW_BYTES: Final = 256 << 10
_CANCELLED_A_STEP: Final = 256


class _Post(Struct):
    messages: list[NewMessage]


class _Deletion(Struct):
    reservation_id: str | None = None
    subscriber_name: str | None = None


class _One(Struct):
    id: str
    reservation_id: str | None = None


class _Deletions(Struct):
    ids: list[_One | str] | None = None


_posts: Final = msgspec.json.Decoder(_Post)
_deletions: Final = msgspec.json.Decoder(_Deletions)
_deletion: Final = msgspec.json.Decoder(_Deletion)


# -- posting


def post_messages(exchange: Exchange) -> None:
    """Put messages on a queue, all of them or none; a queue that is not there is made."""
    messages = read_json(exchange.request.body, _posts).messages
    if not messages:
        raise HttpError(400, "no-messages", "There are no messages to be put on the queue")
    _post(exchange, messages)


def post_webhook(exchange: Exchange) -> None:
    """The request's body, as it is, becomes a message."""
    message = NewMessage("", push_headers=taken_from(exchange.request.headers))
    _post(exchange, [message], [exchange.request.body])


def _post(exchange: Exchange, messages: list[NewMessage], bodies: list[bytes] | None = None) -> None:
    refuse_while_held(exchange)
    ids = post(exchange.node, named_queue(exchange), exchange.request.parameters["project"], messages, bodies)
    answer_when_durable(exchange, {"ids": ids, "msg": "Messages put on queue."}, 201)


# -- looking


def peek_messages(exchange: Exchange) -> None:
    """The first messages that could be reserved now; none of them is."""
    existing_queue(exchange)
    text = exchange.request.query.get("n", "1")
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= _PEEKED_MAX):
        raise HttpError(400, "bad-n", f"n is no number from 1 to {_PEEKED_MAX}")
    exchange.start(partial(_peek, exchange, int(text)))


async def _peek(exchange: Exchange, count: int) -> None:
    queue = existing_queue(exchange)
    browser = Browser(queue)
    found: list[dict[str, Any]] = []
    while len(found) < count and (window := await browser.chunk(_WINDOW_BYTES)):
        found += [show_message(queue, number, record) for number, record in window[: count - len(found)]]
    answer_json(exchange, {"messages": found})


def get_message(exchange: Exchange) -> None:
    """One message by its id, reserved or not."""
    existing_queue(exchange)
    exchange.start(partial(_get, exchange))


async def _get(exchange: Exchange) -> None:
    queue = existing_queue(exchange)
    number, record = await record_of(exchange.node, queue, exchange.request.parameters["message"])
    shown = show_message(queue, number, record)
    answer_json(exchange, {"message": shown | {"id": exchange.request.parameters["message"]}})


# -- deleting


def delete_message(exchange: Exchange) -> None:
    """Delete one message: with its reservation, or one that nobody has reserved."""
    said = read_json(exchange.request.body, _deletion)
    _delete(exchange, [_One(exchange.request.parameters["message"], said.reservation_id)])


def delete_messages(exchange: Exchange) -> None:
    """Delete several messages, all or none; without ids, everything that is in the queue."""
    ids = read_json(exchange.request.body, _deletions).ids
    if ids is None:
        existing_queue(exchange)
        exchange.start(partial(_clear, exchange))
        return
    if not 1 <= len(ids) <= _DELETED_MAX:
        raise HttpError(400, "bad-ids", f"There are 1 to {_DELETED_MAX} ids")
    _delete(exchange, [_One(one) if isinstance(one, str) else one for one in ids])


def _delete(exchange: Exchange, wanted: list[_One]) -> None:
    """At once where each is in its place; else those that are not are looked for first."""
    queue = existing_queue(exchange)
    if len({one.id for one in wanted}) < len(wanted):
        raise HttpError(400, "duplicate-id", "The same message is there twice")
    found = [_named(exchange, queue, one) for one in wanted]
    if None in found:
        exchange.start(partial(_find_and_delete, exchange, wanted))
    else:
        _remove(exchange, queue, [one for one in found if one is not None])


async def _find_and_delete(exchange: Exchange, wanted: list[_One]) -> None:
    queue = existing_queue(exchange)
    elsewhere = {}
    for one in wanted:
        if _named(exchange, queue, one) is None:
            elsewhere[one.id] = _unreserved(await look_for(exchange.node, queue, one.id))
    # While some were looked for, others may have gone.
    found = [elsewhere.get(one.id) or _named(exchange, queue, one) for one in wanted]
    if None in found or not all(_is_ready(queue, place) for place in elsewhere.values()):
        raise message_not_found()
    _remove(exchange, queue, [one for one in found if one is not None])


def _unreserved(place: Named) -> int | Scheduled:
    if isinstance(place, (int, Scheduled)):
        return place
    raise reserved()


def _is_ready(queue: Queue, place: int | Scheduled) -> bool:
    return isinstance(place, Scheduled) or whereabouts(queue, place).place is Place.READY


def _named(exchange: Exchange, queue: Queue, one: _One) -> Named | None:
    if one.reservation_id:
        return held(exchange.node, queue, one.id, one.reservation_id)
    return placed(queue, one.id)


def _remove(exchange: Exchange, queue: Queue, found: list[Named]) -> None:
    """All of it in this step, or nothing."""
    node = exchange.node
    numbers = sorted(one for one in found if isinstance(one, int))
    scheduled = [one for one in found if isinstance(one, Scheduled)]
    leases = [one for one in found if not isinstance(one, (int, Scheduled))]
    if numbers:
        check_gaps(queue)
    for one in scheduled:
        node.schedule.cancel(one)
    take_out(queue, numbers)
    node.leases.settle(leases)
    answer_when_durable(exchange, {"msg": "Deleted"})


async def _clear(exchange: Exchange) -> None:
    await clear_queue(exchange.node, existing_queue(exchange))
    answer_when_durable(exchange, {"msg": "Cleared"})


async def clear_queue(node: Node, queue: Queue) -> None:
    """Settle everything: what is ready, reserved or delayed. Durable with the open batch."""
    node.leases.settle(node.leases.of(queue))
    queue.purge()
    if node.schedule.census.waiting_for("q" + queue.name):
        await _cancel_delayed(node, queue)


async def _cancel_delayed(node: Node, queue: Queue) -> None:
    listing = Listing(node.schedule, target="q" + queue.name)
    while (found := await listing.chunk()) is not None:
        for at in range(0, len(found), _CANCELLED_A_STEP):
            for one in found[at : at + _CANCELLED_A_STEP]:
                node.schedule.cancel(one)
            node.end_step()
            await trio.lowlevel.checkpoint()
