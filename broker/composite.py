"""A composite destination: several queues and topics that each get a copy of every message, or none of them does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from segue.broker.node import Node
from segue.broker.queue import Queue
from segue.broker.topic import Topic

__all__ = ["Composite", "Part"]

Part: TypeAlias = tuple[Queue | Topic, Callable[[bytes], object]]
"""A target, and how to publish to it."""


class Composite:
    """See the module.

    Durability: all copies are in one batch. Those of durable queues stand in the journal once.

    Attributes:
        name: as the publisher wrote it.
    """

    def __init__(self, node: Node, name: str, parts: Sequence[Part], priority: int | None = None) -> None:
        """`parts`: in any order; a target that is named twice gets one copy. `priority`: of all messages."""
        self.name = name
        unique = {id(target): (target, publish) for target, publish in parts}.values()
        self._targets = tuple(target for target, _ in unique)
        logs = tuple(target.log_of(priority) for target in self._targets if type(target) is Queue)
        self._publishes = [publish for target, publish in unique if type(target) is not Queue]
        if len(logs) > 1:
            self._publishes.append(partial(node.store.append_to, logs))
        else:
            self._publishes += [log.append for log in logs]

    @property
    def open(self) -> bool:
        """False once one of the targets is deleted."""
        return all(target.open for target in self._targets)

    def note_expiring(self) -> None:
        """See `Queue`."""
        for target in self._targets:
            target.note_expiring()

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
