"""Publishing to queues and topics: a batch in JSON, or one message that is the body of a request.

What a request publishes is accepted all at once or not at all, and on disk before it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from segue.broker.errors import NotSupportedError
from segue.broker.message_headers import InvalidHeaderError
from segue.broker.pending import PendingError
from segue.broker.publication import NewMessage, message_id, publish_to_queue, publish_to_topic
from segue.broker.room import until_answerable
from segue.protocols.http import Exchange
from segue.protocols.rest.v1.destinations import QueueName, QueueNamed, TopicName, TopicNamed, queue_name, topic_name
from segue.protocols.rest.v1.new_messages import HEADER_PREFIX, MESSAGES_MAX, Handling, JsonMessage, MessageReader
from segue.protocols.rest.v1.operation import Call
from segue.protocols.rest.v1.problems import ProblemError

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = [
    "Publication",
    "Published",
    "PublishedMessage",
    "QueuePublishing",
    "RawPublishing",
    "RawTopicPublishing",
    "into_queue",
    "publish",
    "publish_raw",
    "publish_raw_to_topic",
    "publish_to",
]

_CREATED: Final = 201
_DedupId = Annotated[
    str,
    Meta(description="Makes a request a repeat, which adds nothing: it is the deduplication id of what it publishes."),
]


class QueuePublishing(QueueNamed):
    """Parameters of a batch for a queue."""

    idempotency_key: _DedupId = ""


class RawPublishing(Handling, kw_only=True):
    """Parameters of a message for a queue that is the body of its request."""

    queue: QueueName
    idempotency_key: _DedupId = ""


class RawTopicPublishing(Handling, kw_only=True):
    """Parameters of a message for a topic that is the body of its request."""

    topic: TopicName


class Publication(msgspec.Struct, forbid_unknown_fields=True):
    """Messages to be published, in their order."""

    messages: Annotated[list[JsonMessage], Meta(min_length=1, max_length=MESSAGES_MAX)]


class PublishedMessage(msgspec.Struct, omit_defaults=True):
    """What became of a message."""

    id: Annotated[str, Meta(description="What it is called; that of the first one, if it is a repeat.")] = ""
    schedule_id: Annotated[str, Meta(description="The same, as long as it waits for its time.")] = ""
    repeat: Annotated[bool, Meta(description="It was accepted before; nothing was added.")] = False


class Published(msgspec.Struct):
    """What became of the messages, in their order."""

    messages: list[PublishedMessage]


_Accept: TypeAlias = Callable[[], list[PublishedMessage]]


def publish(call: Call[QueuePublishing, Publication]) -> None:
    """A batch for a queue."""
    node = call.node
    name = queue_name(node, call.parameters.queue)
    messages = MessageReader(f"/queue/{name}").read_all(call.body.messages, call.parameters.idempotency_key)
    _publish(
        call.exchange, partial(into_queue, node, name, messages), lambda done: call.answer(Published(done), _CREATED)
    )


def publish_raw(call: Call[RawPublishing, None]) -> None:
    """One message for a queue, which is the body of the request."""
    node, parameters = call.node, call.parameters
    name = queue_name(node, parameters.queue)
    message = _raw_message(call.exchange, f"/queue/{name}", parameters, parameters.idempotency_key)
    _publish(call.exchange, partial(into_queue, node, name, [message]), lambda done: call.answer(done[0], _CREATED))


def publish_to(call: Call[TopicNamed, Publication]) -> None:
    """A batch for a topic."""
    _refuse_ids(call.exchange, call.body.messages)
    name = topic_name(call.parameters.topic)
    messages = MessageReader(f"/topic/{name}").read_all(call.body.messages)
    accept = partial(_to_topic, call.node, name, messages)
    _publish(call.exchange, accept, lambda done: call.answer(Published(done), _CREATED))


def publish_raw_to_topic(call: Call[RawTopicPublishing, None]) -> None:
    """One message for a topic, which is the body of the request."""
    _refuse_ids(call.exchange)
    name = topic_name(call.parameters.topic)
    message = _raw_message(call.exchange, f"/topic/{name}", call.parameters)
    _publish(call.exchange, partial(_to_topic, call.node, name, [message]), lambda done: call.answer(done[0], _CREATED))


def _publish(exchange: Exchange, accept: _Accept, answer: Callable[[list[PublishedMessage]], None]) -> None:
    """Accept messages now, or when it can be said what becomes of them; answer when they are on disk."""
    node = exchange.node
    if node.held:
        raise ProblemError("publishers-held", f"Nothing was accepted: {'; '.join(node.pressure.reasons)}")
    try:
        accepted = accept()
    except PendingError as pending:
        exchange.start(partial(_publish_later, pending, exchange, accept, answer))
    else:
        exchange.when_durable(partial(answer, accepted))


async def _publish_later(
    pending: PendingError, exchange: Exchange, accept: _Accept, answer: Callable[[list[PublishedMessage]], None]
) -> None:
    await until_answerable(exchange.node, pending)
    _publish(exchange, accept, answer)


def into_queue(node: Node, name: str, messages: Sequence[NewMessage]) -> list[PublishedMessage]:
    """Accept messages for a queue. Raises as `publish_to_queue`."""
    accepted = publish_to_queue(node, name, messages)
    queue = node.queues[name]
    return [
        PublishedMessage(message_id(queue, seq) if seq else "", schedule_id, repeat)
        for seq, schedule_id, repeat in accepted
    ]


def _to_topic(node: Node, name: str, messages: Sequence[NewMessage]) -> list[PublishedMessage]:
    return [PublishedMessage(schedule_id=one.schedule_id) for one in publish_to_topic(node, name, messages)]


def _raw_message(exchange: Exchange, destination: str, handling: Handling, dedup_id: str = "") -> NewMessage:
    """The message that a body and the headers beside it are."""
    request = exchange.request
    headers = [
        (name.removeprefix(HEADER_PREFIX), value)
        for name, value in request.headers.items()
        if name.startswith(HEADER_PREFIX)
    ]
    content_type = request.headers.get("content-type", "")
    try:
        return MessageReader(destination).make(handling, request.body, content_type, headers, dedup_id)
    except InvalidHeaderError as error:
        raise ProblemError("invalid-parameter", str(error), parameter=f"Segue-Header-{error.name}") from None
    except ValueError as error:
        raise ProblemError("invalid-parameter", str(error), parameter="delay_ms") from None


def _refuse_ids(exchange: Exchange, messages: Sequence[JsonMessage] = ()) -> None:
    if "idempotency-key" in exchange.request.headers or any(message.dedup_id for message in messages):
        raise NotSupportedError("topics remember nothing, and so know no repeats")
