"""Putting messages on a queue of a project, from whichever request, or from the gateway itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from segue.broker.schedule.delayed import Delayed, When
from segue.protocols.rest.ironmq.message import RecordMaker
from segue.protocols.rest.ironmq.message_id import ids_of_next, scheduled_id_text
from segue.protocols.rest.ironmq.push_headers import check_push_headers
from segue.protocols.rest.ironmq.queue_settings import QueueChange, new_queue

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.queue import Queue

__all__ = ["NewMessage", "post"]


class NewMessage(Struct):
    """A message as a request has it."""

    body: str
    delay: Annotated[int, Meta(ge=0, le=604_800)] = 0
    push_headers: dict[str, str] | None = None


def post(
    node: Node, name: str, project: str, messages: list[NewMessage], bodies: list[bytes] | None = None
) -> list[str]:
    """Publish messages in one step, or none of them. Durable with the open batch.

    Args:
        node: the broker.
        name: the full name of the queue, which is made if there is none.
        project: whose it is.
        messages: what.
        bodies: of them, where they need not be text.

    Returns:
        Their ids.

    Raises:
        HttpError: 400: push headers that can't be set.
        LimitReachedError: the queue is full, or there may be no more queues.
    """
    bodies = [message.body.encode() for message in messages] if bodies is None else bodies
    plain = True
    for message in messages:
        if message.delay or message.push_headers:
            plain = False
            check_push_headers(message.push_headers)
    queue = node.queues.get(name) or new_queue(node, name, project, QueueChange())
    queue.check_room(len(bodies), sum(map(len, bodies)))
    maker = RecordMaker(name, node.clock.now_ms())
    if plain:
        ids = ids_of_next(queue, len(bodies))
        queue.publish_all(maker.records(ids, bodies))
        return ids
    return [_post_one(queue, maker, message, body) for message, body in zip(messages, bodies, strict=True)]


def _post_one(queue: Queue, maker: RecordMaker, message: NewMessage, body: bytes) -> str:
    if message.delay:
        return _post_later(queue, message, body)
    (message_id,) = ids_of_next(queue, 1)
    queue.publish(maker.record(message_id, body, message.push_headers))
    return message_id


def _post_later(queue: Queue, message: NewMessage, body: bytes) -> str:
    target = Delayed(queue.node, queue.name, [queue], When(message.delay * 1000))
    slot = target.slot()
    message_id = scheduled_id_text(slot.identity(slot.next_seq))
    maker = RecordMaker(queue.name, target.due_ms(queue.node.clock.now_ms()))
    slot.accept(maker.record(message_id, body, message.push_headers))
    return message_id
