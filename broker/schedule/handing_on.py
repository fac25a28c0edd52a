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


def hand_on(node: Node, message: ScheduledMessage, frames: list[bytes]) -> tuple[int, str]:
    """Publish messages that all have the same fate; each to all of its targets, or to none.

    A queue that was deleted meanwhile is made again.

    Args:
        node: whose queues and topics they are for.
        message: the first of them.
        frames: all of them.

    Returns:
        How many are done with, from the first on, and why the next one can't be published now; empty when all are.
    """
    start = len(frames[0]) - len(message.record)
    records = [frame[start:] for frame in frames]
    if message.deliveries:
        if message.targets[1:] not in node.queues:
            return len(frames), ""  # deleted with their queue, in which they would be but for who has put them off
        records = [with_deliveries(record, message.deliveries) for record in records]
    try:
        targets = [_target(node, text) for text in message.targets.split("\n")]
    except BrokerError as error:
        return 0, str(error)
    if message.deliveries:
        for queue in targets:
            assert isinstance(queue, Queue)
            queue.open_redelivery()
            queue.note_put_off()
    return _publish(targets, records, is_plain=message.is_plain)


def _publish(targets: list[Queue | Topic], records: list[bytes], *, is_plain: bool) -> tuple[int, str]:
    """As `hand_on`: all together where there is room for all, or else one by one."""
    try:
        for target in targets:
            target.check_room(len(records), sum(map(len, records)))
    except BrokerError as error:
        if len(records) == 1:
            return 0, str(error)
        for count, record in enumerate(records):
            _, refusal = _publish(targets, [record], is_plain=is_plain)
            if refusal:
                return count, refusal
        return len(records), ""
    for target in targets:
        if not is_plain:
            for record in records:
                target.note(record)
        target.publish_all(records)
    return len(records), ""


def _target(node: Node, text: str) -> Queue | Topic:
    kind, name = text[0], text[1:]
    return node.queue(name) if kind == "q" else node.topic(name)
