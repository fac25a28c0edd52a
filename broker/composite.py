"""A composite destination: several queues and topics that each get a copy of every message, or none of them does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from segue.broker.deduplication import Acceptance, Identity, RecallPendingError
from segue.broker.marks import Marked
from segue.broker.node import Node
from segue.broker.queue import Queue
from segue.broker.topic import Topic

__all__ = ["Composite", "Part"]

Part: TypeAlias = tuple[Queue | Topic, Callable[[bytes], object]]
"""A target, and how to publish to it."""


class Composite(Marked):
    """See the module.

    Durability: all copies are in one batch. Those of durable queues stand in the journal once.

    Attributes:
        name: as the publisher wrote it.
    """

    def __init__(self, node: Node, name: str, parts: Sequence[Part], priority: int | None = None) -> None:
        """`parts`: in any order; a target that is named twice gets one copy. `priority`: of all messages."""
        self.name = name
        self._node = node
        unique = {id(target): (target, publish) for target, publish in parts}.values()
        self._targets = tuple(target for target, _ in unique)
        logs = tuple(target.log_of(priority) for target in self._targets if type(target) is Queue)
        self._publishes = [publish for target, publish in unique if type(target) is not Queue]
        if len(logs) > 1:
            self._publishes.append(partial(node.store.append_to, logs))
        else:
            self._publishes += [log.append for log in logs]
        self._queues = tuple(target for target in self._targets if isinstance(target, Queue))
        self._topics = [publish for target, publish in unique if not isinstance(target, Queue)]

    @property
    def queues(self) -> tuple[Queue, ...]:
        """Those of the targets that are queues: only they know what a repeat is."""
        return self._queues

    @property
    def open(self) -> bool:
        """False once one of the targets is deleted."""
        return all(target.open for target in self._targets)

    def note_expiring(self) -> None:
        """See `Queue`."""
        for target in self._targets:
            target.note_expiring()

    def note_grouped(self) -> None:
        """See `Queue`."""
        for target in self._targets:
            target.note_grouped()

    def check_room(self, messages: int, size: int) -> None:
        """Raises LimitReachedError when one of the targets can't take so much."""
        for target in self._targets:
            target.check_room(messages, size)

    def publish(self, record: bytes) -> None:
        """Give every target a copy.

        Raises:
            LimitReachedError: one of them is full; none has got it.
        """
        self.check_room(1, len(record))
        for publish in self._publishes:
            publish(record)

    def recall(self, identity: Identity) -> Acceptance | None:
        """The answer to what every queue has accepted before: that of the first one. None when one has not.

        Raises:
            RecallPendingError: as in `Queue.publish_once`; every queue has been asked.
        """
        answers = self._recall(identity)
        return answers[0] if all(answers) else None

    def publish_once(self, identity: Identity, record: bytes) -> Acceptance:
        """Give a copy to every queue that has not accepted this identity before, and to topics if there is one.

        Returns:
            The answer of the first queue; a repeat only if nobody has got a copy.

        Raises:
            LimitReachedError, RecallPendingError: as in `Queue.publish_once`; none has got it.
        """
        answers = self._recall(identity)
        new = [queue for queue, answer in zip(self._queues, answers, strict=True) if answer is None]
        if answers[0] is not None and not new:
            return answers[0]
        self._node.deduplication.check_room()
        for target in self._targets:
            if target in new or not isinstance(target, Queue):
                target.check_room(1, len(record))
        accepted = self._accept(identity, new, record)
        for publish in self._topics:
            publish(record)
        return accepted if answers[0] is None else answers[0]._replace(repeat=False)

    def _accept(self, identity: Identity, queues: list[Queue], record: bytes) -> Acceptance:
        """The answer of the first of these queues, which all take the message."""
        accepted = [queue.remember(identity, queue.publish(record)) for queue in queues]
        return accepted[0]

    def _recall(self, identity: Identity) -> list[Acceptance | None]:
        answers: list[Acceptance | None] = []
        pending: RecallPendingError | None = None
        for queue in self._queues:
            try:
                answers.append(queue.recall(identity))
            except RecallPendingError as error:
                pending = error
        if pending is not None:
            raise pending
        return answers
