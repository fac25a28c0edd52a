"""Queues: made, changed, shown, listed, deleted."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from segue.protocols.http import Exchange, HttpError
from segue.protocols.rest.ironmq.alerts import size_of
from segue.protocols.rest.ironmq.answers import answer_json, answer_when_durable
from segue.protocols.rest.ironmq.naming import existing_queue, full_name, named_queue, prefix_of
from segue.protocols.rest.ironmq.queue_settings import (
    QueueChange,
    change_queue,
    new_queue,
    settings_of,
    show_queue,
)
from segue.protocols.rest.json_body import read_json

__all__ = ["delete_queue", "get_queue", "list_queues", "patch_queue", "put_queue"]

_PER_PAGE: Final = 30
_PER_PAGE_MAX: Final = 100


class _Body(Struct):
    queue: QueueChange = QueueChange()


_decoder: Final = msgspec.json.Decoder(_Body)


def put_queue(exchange: Exchange) -> None:
    """Make a queue, or change what is said of one that is there."""
    change, name = _change(exchange), named_queue(exchange)
    queue = exchange.node.queues.get(name)
    if queue is None:
        queue = new_queue(exchange.node, name, exchange.request.parameters["project"], change)
    else:
        change_queue(queue, exchange.request.parameters["project"], change)
    answer_when_durable(exchange, {"queue": _shown(exchange)})


def patch_queue(exchange: Exchange) -> None:
    """Change what is said of a queue that is there."""
    queue, change = existing_queue(exchange), _change(exchange)
    if change.push and settings_of(queue).type == "pull":
        raise HttpError(400, "pull-queue", "A pull queue has no push settings")
    change_queue(queue, exchange.request.parameters["project"], change)
    answer_when_durable(exchange, {"queue": _shown(exchange) | _counts(exchange)})


def get_queue(exchange: Exchange) -> None:
    """Show a queue."""
    existing_queue(exchange)
    answer_json(exchange, {"queue": _shown(exchange) | _counts(exchange)})


def delete_queue(exchange: Exchange) -> None:
    """Delete a queue with its messages."""
    exchange.node.delete_queue(existing_queue(exchange).name)
    answer_when_durable(exchange, {"msg": "Deleted"})


def list_queues(exchange: Exchange) -> None:
    """The names of a project's queues, in alphabetical order, a page at a time."""
    query = exchange.request.query
    prefix = prefix_of(exchange)
    wanted, after = prefix + query.get("prefix", ""), query.get("previous", "")
    names = sorted(name.removeprefix(prefix) for name in exchange.node.queues if name.startswith(wanted))
    page = [{"name": name} for name in names if name > after][: _per_page(query.get("per_page", ""))]
    answer_json(exchange, {"queues": page})


def _per_page(text: str) -> int:
    if not text:
        return _PER_PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise HttpError(400, "bad-per-page", "per_page is no number")
    return min(int(text) or _PER_PAGE, _PER_PAGE_MAX)


def _change(exchange: Exchange) -> QueueChange:
    change = read_json(exchange.request.body, _decoder).queue
    if change.dead_letter and change.dead_letter.queue_name:
        full_name(exchange, change.dead_letter.queue_name)
    return change


def _shown(exchange: Exchange) -> dict[str, Any]:
    parameters = exchange.request.parameters
    queue = existing_queue(exchange)
    return show_queue(queue, queue.name.removeprefix(prefix_of(exchange)), parameters["project"])


def _counts(exchange: Exchange) -> dict[str, int]:
    """What is in a queue, with what is reserved or delayed; and what was ever put there."""
    queue = existing_queue(exchange)
    statistics = queue.statistics()
    return {"size": size_of(queue), "total_messages": statistics.published + statistics.delayed}
