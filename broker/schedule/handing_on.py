"""Handing a message on when its time has come: to the queues and topics that it was sent to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segue.broker.errors import BrokerError
from segue.broker.queue import Queue
from segue.broker.schedule.scheduled_message import ScheduledMessage
from segue.broker.topic import Topic
from segue.storage.api import with_deliveries

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["hand_on", "targets_text"]


def targets_text(targets: Sequence[Queue | Topic]) -> str:
    """How the targets of a message are written down."""
    return "\n".join(("q" if isinstance(target, Queue) else "t") + target.name for target in targets)


def hand_on(node: Node, message: ScheduledMessage) -> str:
    """Publish a message to all of its targets, or to none. A queue that was deleted meanwhile is made again.

    Returns:
        Why that is not possible now; empty when it is done.
    """
    record = message.record
    if message.deliveries and message.targets[1:] not in node.queues:
        return ""  # it was deleted with its queue, in which it would be but for a consumer that has put it off
    try:
        targets = [_target(node, text) for text in message.targets.split("\n")]
        for target in targets:
            target.check_room(1, len(record))
    except BrokerError as error:
        return str(error)
    if message.deliveries:
        record = with_deliveries(record, message.deliveries)
        for queue in targets:
            assert isinstance(queue, Queue)
            queue.open_redelivery()
            queue.note_put_off()
    for target in targets:
        target.note(record)
        target.publish(record)
    return ""


def _target(node: Node, text: str) -> Queue | Topic:
    kind, name = text[0], text[1:]
    return node.queue(name) if kind == "q" else node.topic(name)
