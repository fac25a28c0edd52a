"""Where the condemned messages of one queue or durable subscription go: to a dead-letter queue, by name.

The queue is looked up for each message: it may be deleted and made again. To move a message is to publish a new one;
the dispatcher settles the old one in the same step, so both are in one batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.broker.dead_letters import Burial, Reason, dead_letter, goes_round, sentence_of
from segue.broker.errors import LimitReachedError
from segue.broker.groups import group_of
from segue.broker.redelivery import deliveries_with

if TYPE_CHECKING:
    from segue.broker.dispatcher import Dispatcher
    from segue.broker.node import Node

__all__ = ["DeadLetterOffice"]


class DeadLetterOffice:
    """See the module."""

    __slots__ = ("_dispatcher", "_node", "_source", "_target")

    def __init__(self, node: Node, dispatcher: Dispatcher, source: str, target: str) -> None:
        """`source`: the queue or subscription, as dead letters name it; `target`: their queue."""
        self._node = node
        self._dispatcher = dispatcher
        self._source = source
        self._target = target

    def bury(self, seq: int, standing: int, record: bytes) -> Burial:
        """Move a condemned message, which the caller settles in the same step."""
        deliveries, reason = sentence_of(standing)
        if reason in (Reason.EXPIRED, Reason.OVERFLOW) and goes_round(record, self._source):
            return Burial.GIVEN_UP
        node = self._node
        letter = dead_letter(
            record,
            queue=self._source,
            reason=reason,
            deliveries=deliveries_with(record, deliveries),
            now_ms=node.clock.now_ms(),
            died_ms=node.clock.wall.now_ms(),
        )
        try:
            target = node.queue(self._target)
            if group_of(letter) is not None:
                target.note_grouped()
            target.publish(letter)
        except LimitReachedError as error:
            node.dead_letters_stuck(self._dispatcher, self._target, str(error))
            return Burial.STUCK
        node.store.want()
        return Burial.MOVED
