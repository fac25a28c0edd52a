"""Queues: listed, made, looked at, changed and deleted.

What a queue can do beyond holding messages are its options, by the names that policies have for them, and with their
limits. An `ETag` stands for what can be changed; the statistics beside it change all the time, and are no part of it.
"""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta

from segue.broker.names import normal
from segue.broker.queue import Queue, QueueStatistics
from segue.broker.queue_options import QueueOptions
from segue.protocols.http.errors import Header
from segue.protocols.rest.v1.destinations import QueueNamed, existing_queue, queue_name
from segue.protocols.rest.v1.operation import Call
from segue.protocols.rest.v1.problems import ProblemError
from segue.protocols.rest.v1.queue_options import changed_options

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = [
    "Deleted",
    "QueueChanging",
    "QueueDeleting",
    "QueueList",
    "QueueListing",
    "QueueSummary",
    "QueueView",
    "change_queue",
    "create_queue",
    "delete_queue",
    "list_queues",
    "show_queue",
]

PAGE_MAX: Final = 1000


class QueueListing(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of a list."""

    prefix: Annotated[str, Meta(description="Only queues whose names begin so.")] = ""
    after: Annotated[str, Meta(description="Only those behind this name: `next` of the page before.")] = ""
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX, description="So many at most.")] = 100


class QueueChanging(QueueNamed):
    """Parameters of what depends on the state of a queue."""

    if_match: Annotated[
        str, Meta(description="`ETag` of the queue as it was seen: nothing happens if it has changed.")
    ] = "*"


class QueueSummary(msgspec.Struct):
    """A queue in a list."""

    name: str
    ready: int
    in_flight: int
    delayed: int
    consumers: int
    paused: bool


class QueueList(msgspec.Struct):
    """One page of a list, by name."""

    queues: list[QueueSummary]
    next: Annotated[str | None, Meta(description="`after` of the next page; null: this is the last.")]


class QueueDeleting(QueueNamed):
    """Parameters of a deletion."""

    if_empty: Annotated[bool, Meta(description="Only if there are no messages.")] = False
    if_unused: Annotated[bool, Meta(description="Only if there are no consumers.")] = False


class QueueView(msgspec.Struct):
    """A queue."""

    name: str
    paused: bool
    created_ms: int
    declared: Annotated[dict[str, Any], Meta(description="The options that it was declared with.")]
    options: Annotated[QueueOptions, Meta(description="Those that are in force: policies may say something, too.")]
    statistics: QueueStatistics


class Deleted(msgspec.Struct):
    """What went."""

    messages: Annotated[int, Meta(description="So many were owed.")]


def list_queues(call: Call[QueueListing, None]) -> None:
    """One page of the list, by name."""
    node, listing = call.node, call.parameters
    prefix, after = normal(listing.prefix), normal(listing.after)
    names = (name for name in node.queues if name > after and name.startswith(prefix))
    page = heapq.nsmallest(listing.limit + 1, names)
    shown = page[: listing.limit]
    following = shown[-1] if len(page) > len(shown) else None
    call.answer(QueueList([_summary(node.queues[name]) for name in shown], following))


def create_queue(call: Call[QueueNamed, Any]) -> None:
    """Make a queue, or see to it that there is one with these options."""
    node = call.node
    name = queue_name(node, call.parameters.queue)
    options = changed_options({}, call.body)
    queue = node.queues.get(name)
    is_new = queue is None
    if queue is None:
        queue = node.declare_queue(name, options=options)
    elif (said := options.as_definition()) and said != queue.declared:
        raise ProblemError("conflict", f"Queue '{name}' is there, and was declared with other options: change it")
    node.idle_queues.used(queue)
    call.answer_when_durable(_view(node, queue), 201 if is_new else 200, headers=[_etag_header(queue)])


def show_queue(call: Call[QueueNamed, None]) -> None:
    """One queue."""
    queue = existing_queue(call.node, call.parameters.queue)
    call.answer(_view(call.node, queue), headers=[_etag_header(queue)])


def change_queue(call: Call[QueueChanging, Any]) -> None:
    """Change the options of a queue, or halt it."""
    node, changes = call.node, call.body
    queue = existing_queue(node, call.parameters.queue)
    wanted = [tag.strip() for tag in call.parameters.if_match.split(",")]
    if "*" not in wanted and _etag(queue) not in wanted:
        raise ProblemError("precondition-failed", f"Queue '{queue.name}' has changed: its ETag is {_etag(queue)}")
    options = changed_options(queue.declared, changes)
    if options.as_definition() != queue.declared:
        node.redeclare_queue(queue, options)
    if changes.paused is not UNSET:
        queue.pause() if changes.paused else queue.resume()
    call.answer_when_durable(_view(node, queue), headers=[_etag_header(queue)])


def delete_queue(call: Call[QueueDeleting, None]) -> None:
    """Delete a queue with its messages."""
    node, parameters = call.node, call.parameters
    queue = existing_queue(node, parameters.queue)
    messages = node.delete_queue(queue.name, if_empty=parameters.if_empty, if_unused=parameters.if_unused)
    call.answer_when_durable(Deleted(messages))


def _summary(queue: Queue) -> QueueSummary:
    numbers = queue.statistics()
    return QueueSummary(
        numbers.name, numbers.ready, numbers.in_flight, numbers.delayed, numbers.consumers, numbers.paused
    )


def _view(node: Node, queue: Queue) -> QueueView:
    numbers = queue.statistics()
    if numbers.oldest_ms:
        numbers = replace(numbers, oldest_ms=node.clock.on_wall(numbers.oldest_ms))
    created_ms = queue.definition.get("created_ms", 0)
    return QueueView(queue.name, numbers.paused, created_ms, queue.declared, queue.options, numbers)


def _etag(queue: Queue) -> str:
    """A strong validator of what can be changed. The log's id is in it: a queue that was made anew is another one."""
    state = msgspec.json.encode([queue.log.id, sorted(queue.declared.items()), queue.dispatcher.paused])
    return f'"{hashlib.sha256(state).hexdigest()[:16]}"'


def _etag_header(queue: Queue) -> Header:
    return b"etag", _etag(queue).encode()
