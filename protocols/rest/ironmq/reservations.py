"""Reservations: messages that somebody takes for a time, and settles, prolongs or gives back by their ids."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta, Struct

from segue.protocols.http import Exchange
from segue.protocols.rest.ironmq.answers import answer_json, answer_when_durable
from segue.protocols.rest.ironmq.lookup import held
from segue.protocols.rest.ironmq.message import show_message
from segue.protocols.rest.ironmq.naming import existing_queue
from segue.protocols.rest.ironmq.queue_settings import settings_of
from segue.protocols.rest.json_body import read_json

if TYPE_CHECKING:
    from segue.broker.leases import Lease

__all__ = ["release_message", "reserve_messages", "touch_message"]


class _Reserve(Struct):
    n: Annotated[int, Meta(ge=1, le=100)] = 1
    timeout: Annotated[int, Meta(ge=0, le=86_400)] | None = None
    wait: Annotated[int, Meta(ge=0, le=30)] | None = None
    delete: bool = False


class _Touch(Struct):
    reservation_id: str = ""
    timeout: Annotated[int, Meta(ge=0, le=86_400)] | None = None


class _Release(Struct):
    reservation_id: str = ""
    delay: Annotated[int, Meta(ge=0, le=604_800)] | None = None


_reserves: Final = msgspec.json.Decoder(_Reserve)
_touches: Final = msgspec.json.Decoder(_Touch)
_releases: Final = msgspec.json.Decoder(_Release)


def reserve_messages(exchange: Exchange) -> None:
    """Take up to `n` messages; with `wait`, the answer waits for the first of them."""
    asked = read_json(exchange.request.body, _reserves)
    queue = existing_queue(exchange)
    taking = exchange.node.leases.take(
        queue,
        asked.n,
        asked.timeout or settings_of(queue).message_timeout,
        partial(_answer, exchange, delete=asked.delete),
        wait_seconds=asked.wait or 0,
    )
    # Who has gone will not settle what he has not seen.
    exchange.when_lost(taking.give_up)
    exchange.when_ending(taking.give_up)


def _answer(exchange: Exchange, leases: list[Lease], *, delete: bool) -> None:
    shown = []
    for lease in leases:
        message = show_message(lease.queue, lease.seq, lease.record, lease.deliveries)
        shown.append(message if delete else message | {"reservation_id": lease.id})
    if delete and leases:
        exchange.node.leases.settle(leases)
        answer_when_durable(exchange, {"messages": shown})
    else:
        answer_json(exchange, {"messages": shown})


def touch_message(exchange: Exchange) -> None:
    """Prolong a reservation, which gets a new id."""
    asked = read_json(exchange.request.body, _touches)
    queue = existing_queue(exchange)
    lease = held(exchange.node, queue, exchange.request.parameters["message"], asked.reservation_id)
    exchange.node.leases.touch(lease, asked.timeout or settings_of(queue).message_timeout)
    answer_json(exchange, {"reservation_id": lease.id, "msg": "Touched"})


def release_message(exchange: Exchange) -> None:
    """Give a message back before its time: to its place at the front, or later."""
    asked = read_json(exchange.request.body, _releases)
    queue = existing_queue(exchange)
    lease = held(exchange.node, queue, exchange.request.parameters["message"], asked.reservation_id)
    exchange.node.leases.release(lease, (asked.delay or 0) * 1000)
    if queue.cursor.condemned:
        queue.dispatcher.dispatch()  # a dead letter is to be where it goes when the answer is out
    answer_when_durable(exchange, {"msg": "Released"})
