"""Queues and topics as a publisher sees them whose messages are to be delivered later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segue.broker.queue import Queue
from segue.broker.schedule.handing_on import targets_text
from segue.broker.schedule.scheduled_message import ScheduleId
from segue.broker.topic import Topic

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["Delayed"]


class Delayed:
    """A target of messages that all wait so long, or for the same time.

    There is always room: whether a queue is full is asked when the time has come.

    Attributes:
        name: as the publisher wrote it.
    """

    def __init__(
        self, node: Node, name: str, targets: Sequence[Queue | Topic], *, delay_ms: int | None, time_ms: int | None
    ) -> None:
        """One of `delay_ms` and `time_ms` (since 1970) says when."""
        self.name = name
        self._node = node
        self._targets = tuple(dict.fromkeys(targets))
        self._text = targets_text(self._targets)
        self._delay_ms = delay_ms
        self._time_ms = time_ms

    @property
    def open(self) -> bool:
        """False once one of the targets is deleted."""
        return all(target.open for target in self._targets)

    def note_expiring(self) -> None:
        """See `Queue`; that is done when the message goes there."""

    def check_room(self, messages: int, size: int) -> None:
        """See the class."""

    def due_ms(self, now_ms: int) -> int:
        """When messages that are accepted now are to be delivered, by the wall clock."""
        return now_ms + self._delay_ms if self._delay_ms is not None else self._time_ms or 0

    def publish(self, record: bytes) -> ScheduleId:
        """Accept a message; returns what it is called."""
        schedule = self._node.schedule
        if self._delay_ms is not None:
            return schedule.after(self._delay_ms, self._text, record)
        return schedule.at(self._time_ms or 0, self._text, record)
