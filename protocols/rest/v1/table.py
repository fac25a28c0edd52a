"""All operations of the API, and their place in the server's table of routes."""

from __future__ import annotations

from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from segue.protocols.http import Exchange, Route, Routes
from segue.protocols.http.credentials import Credentials
from segue.protocols.rest.v1 import index, jobs, leases, messages, publishing, publishing_stream, queues
from segue.protocols.rest.v1.destinations import QueueNamed, TopicNamed
from segue.protocols.rest.v1.openapi import describe
from segue.protocols.rest.v1.operation import MERGE_PATCH, NDJSON, OCTETS, NoParameters, Operation, Reply
from segue.protocols.rest.v1.problems import render_problem
from segue.protocols.rest.v1.queue_options import QueueChanges, QueueDeclaration

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["OPERATIONS", "mount"]

_ETAG: Final = {"ETag": "Stands for what can be changed about the queue."}
_QUEUE: Final = Reply("The queue.", queues.QueueView, _ETAG)

OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    Operation(
        "showIndex",
        "GET",
        "/v1",
        "Where to begin",
        parameters=NoParameters,
        body=NoneType,
        replies={200: Reply("Places.", index.Index)},
        perform=index.show_index,
    ),
    Operation(
        "listQueues",
        "GET",
        "/v1/queues",
        "List queues by name, a page at a time",
        parameters=queues.QueueListing,
        body=NoneType,
        replies={200: Reply("One page.", queues.QueueList)},
        perform=queues.list_queues,
    ),
    Operation(
        "createQueue",
        "PUT",
        "/v1/queues/{queue}",
        "Make a queue",
        text="Queues are also made when something is published to them. A queue that is there stays as it is.",
        parameters=QueueNamed,
        body=QueueDeclaration,
        replies={
            200: Reply("It was there already.", queues.QueueView, _ETAG),
            201: Reply("It was made.", queues.QueueView, _ETAG),
        },
        problems=("conflict", "limit-reached"),
        perform=queues.create_queue,
    ),
    Operation(
        "showQueue",
        "GET",
        "/v1/queues/{queue}",
        "Look at a queue",
        parameters=QueueNamed,
        body=NoneType,
        replies={200: _QUEUE},
        problems=("not-found", "in-use"),
        perform=queues.show_queue,
    ),
    Operation(
        "changeQueue",
        "PATCH",
        "/v1/queues/{queue}",
        "Change a queue",
        text="What is null is no longer declared; what is left out stays as it is.",
        parameters=queues.QueueChanging,
        body=QueueChanges,
        content_type=MERGE_PATCH,
        replies={200: _QUEUE},
        problems=("not-found", "in-use", "precondition-failed"),
        perform=queues.change_queue,
    ),
    Operation(
        "deleteQueue",
        "DELETE",
        "/v1/queues/{queue}",
        "Delete a queue with its messages",
        parameters=queues.QueueDeleting,
        body=NoneType,
        replies={200: Reply("It is deleted.", queues.Deleted)},
        problems=("not-found", "in-use"),
        perform=queues.delete_queue,
    ),
    Operation(
        "publish",
        "POST",
        "/v1/queues/{queue}/messages",
        "Publish messages to a queue",
        text="All of them are accepted, and on disk, or none is.",
        parameters=publishing.QueuePublishing,
        body=publishing.Publication,
        replies={201: Reply("They are on disk.", publishing.Published)},
        problems=("limit-reached", "publishers-held"),
        perform=publishing.publish,
    ),
    Operation(
        "publishRaw",
        "POST",
        "/v1/queues/{queue}/messages/raw",
        "Publish the body of the request",
        text="Its headers are those of the request that begin with `Segue-Header-`, without that, and `Content-Type`.",
        parameters=publishing.RawPublishing,
        body=NoneType,
        content_type=OCTETS,
        replies={201: Reply("It is on disk.", publishing.PublishedMessage)},
        problems=("limit-reached", "publishers-held"),
        perform=publishing.publish_raw,
    ),
    Operation(
        "publishStream",
        "POST",
        "/v1/queues/{queue}/messages/stream",
        "Publish messages, one a line, without an end",
        text="Each line is a message as in a batch. What has come is published in chunks, and told of line by line "
        "when it is on disk. A line has a MiB at most. One that is wrong ends the answer with `line` and `problem`: "
        "what was told of before is published, and nothing else.",
        parameters=QueueNamed,
        body=NoneType,
        content_type=NDJSON,
        replies={
            200: Reply("A line about each message.", publishing_stream.StreamedMessage, content_type=NDJSON),
        },
        perform=publishing_stream.publish_stream,
    ),
    Operation(
        "publishToTopic",
        "POST",
        "/v1/topics/{topic}/messages",
        "Publish messages to a topic",
        parameters=TopicNamed,
        body=publishing.Publication,
        replies={
            201: Reply(
                "They are with all who subscribe, on disk where the subscription is durable.", publishing.Published
            )
        },
        problems=("limit-reached", "not-supported", "publishers-held"),
        perform=publishing.publish_to,
    ),
    Operation(
        "publishRawToTopic",
        "POST",
        "/v1/topics/{topic}/messages/raw",
        "Publish the body of the request to a topic",
        parameters=publishing.RawTopicPublishing,
        body=NoneType,
        content_type=OCTETS,
        replies={201: Reply("As with a batch.", publishing.PublishedMessage)},
        problems=("limit-reached", "not-supported", "publishers-held"),
        perform=publishing.publish_raw_to_topic,
    ),
    Operation(
        "take",
        "POST",
        "/v1/queues/{queue}/leases",
        "Take messages of a queue for a while",
        parameters=QueueNamed,
        body=leases.LeaseOrder,
        replies={200: Reply("Messages, each with the lease that settles it.", leases.Taken)},
        problems=("not-found", "in-use"),
        perform=leases.take,
    ),
    Operation(
        "settle",
        "POST",
        "/v1/settlements",
        "Settle messages that are leased",
        text="Each by itself: look at the result of each.",
        parameters=NoParameters,
        body=leases.Settlements,
        replies={200: Reply("What became of each; durable.", leases.Settled)},
        perform=leases.settle,
    ),
    Operation(
        "purgeQueue",
        "POST",
        "/v1/queues/{queue}/purge",
        "Settle everything that is ready",
        text="At once, at any depth. What is with consumers stays.",
        parameters=QueueNamed,
        body=NoneType,
        replies={200: Reply("It is gone.", jobs.Purged)},
        problems=("not-found", "in-use"),
        perform=jobs.purge_queue,
    ),
    Operation(
        "browse",
        "GET",
        "/v1/queues/{queue}/messages",
        "Look at messages, a page at a time",
        parameters=messages.Browsing,
        body=NoneType,
        replies={200: Reply("One page.", messages.MessagePage)},
        problems=("not-found", "in-use", "unreadable"),
        perform=messages.browse,
    ),
    Operation(
        "showMessage",
        "GET",
        "/v1/queues/{queue}/messages/{message}",
        "Look at a message",
        parameters=messages.MessageNamed,
        body=NoneType,
        replies={200: Reply("The message.", messages.StoredMessage)},
        problems=("not-found", "in-use", "unreadable"),
        perform=messages.show_message,
    ),
    Operation(
        "deleteMessage",
        "DELETE",
        "/v1/queues/{queue}/messages/{message}",
        "Delete a message",
        text="It has to be ready: what a consumer has is settled by its lease.",
        parameters=messages.MessageNamed,
        body=NoneType,
        replies={200: Reply("It is deleted, durably.", messages.DeletedMessage)},
        problems=("not-found", "in-use", "limit-reached"),
        perform=messages.delete_message,
    ),
    Operation(
        "startJob",
        "POST",
        "/v1/jobs",
        "Move, copy or redrive messages",
        text="It goes on when this is answered, and ends with the messages that were ready when it began.",
        parameters=NoParameters,
        body=jobs.JobWish,
        replies={202: Reply("It has begun.", jobs.JobView)},
        problems=("bad-selector", "in-use", "limit-reached", "not-found"),
        perform=jobs.start_job,
    ),
    Operation(
        "listJobs",
        "GET",
        "/v1/jobs",
        "List jobs",
        parameters=NoParameters,
        body=NoneType,
        replies={200: Reply("Those that run, and the last that have ended.", jobs.JobList)},
        perform=jobs.list_jobs,
    ),
    Operation(
        "showJob",
        "GET",
        "/v1/jobs/{job}",
        "See how far a job has come",
        parameters=jobs.JobNamed,
        body=NoneType,
        replies={200: Reply("The job.", jobs.JobView)},
        problems=("not-found",),
        perform=jobs.show_job,
    ),
    Operation(
        "cancelJob",
        "DELETE",
        "/v1/jobs/{job}",
        "End a job",
        text="What it has passed on stays so. One that has ended stays as it is.",
        parameters=jobs.JobNamed,
        body=NoneType,
        replies={200: Reply("It has ended.", jobs.JobView)},
        problems=("not-found",),
        perform=jobs.cancel_job,
    ),
)


def mount(node: Node, routes: Routes) -> None:
    """See `segue.protocols.http.server.Mount`."""
    credentials = Credentials(node)
    for operation in OPERATIONS:
        handler = credentials.guarded(operation.handle)
        in_pieces = operation.content_type == NDJSON
        routes.add(Route(operation.method, operation.path, handler, render_problem, body_in_pieces=in_pieces))
    routes.add(Route("GET", index.OPENAPI_PATH, _show_description, render_problem))


def _show_description(exchange: Exchange) -> None:
    """It is no secret: everybody may see what can be asked."""
    exchange.answer(200, _description())


@cache
def _description() -> bytes:
    return msgspec.json.encode(describe(OPERATIONS)) + b"\n"
