"""Subscribers of push queues: added, replaced, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from segue.protocols.http import Exchange, HttpError
from segue.protocols.rest.ironmq.answers import answer_when_durable
from segue.protocols.rest.ironmq.naming import existing_queue
from segue.protocols.rest.ironmq.queue_settings import PushChange, QueueChange, Subscriber, change_queue, settings_of
from segue.protocols.rest.json_body import read_json

__all__ = ["add_subscribers", "remove_subscribers", "replace_subscribers"]

_Subscribers: TypeAlias = dict[str, Subscriber]


class _Body(Struct):
    subscribers: tuple[Subscriber, ...]


_decoder: Final = msgspec.json.Decoder(_Body)


def add_subscribers(exchange: Exchange) -> None:
    """Add subscribers; one of the same name is replaced."""
    _change(exchange, lambda before, said: before | _by_name(said))


def replace_subscribers(exchange: Exchange) -> None:
    """These, and no others."""
    _change(exchange, lambda _, said: _by_name(said))


def remove_subscribers(exchange: Exchange) -> None:
    """Remove subscribers by their names."""
    _change(exchange, lambda before, said: {name: one for name, one in before.items() if name not in _by_name(said)})


def _change(exchange: Exchange, change: Callable[[_Subscribers, tuple[Subscriber, ...]], _Subscribers]) -> None:
    said = read_json(exchange.request.body, _decoder).subscribers
    queue = existing_queue(exchange)
    push = settings_of(queue).push
    if push is None:
        raise HttpError(400, "pull-queue", "A pull queue has no subscribers")
    after = change(_by_name(push.subscribers), said)
    push_change = PushChange(subscribers=tuple(after.values()))
    change_queue(queue, exchange.request.parameters["project"], QueueChange(push=push_change))
    answer_when_durable(exchange, {"msg": "Updated"})


def _by_name(subscribers: Iterable[Subscriber]) -> _Subscribers:
    return {subscriber.name: subscriber for subscriber in subscribers}
