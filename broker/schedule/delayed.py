"""Queues and topics as a publisher sees them whose messages are to be delivered later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.broker.deduplication import Acceptance, Identity
from segue.broker.groups import group_of
from segue.broker.queue import Queue
from segue.broker.schedule.cron import Cron
from segue.broker.schedule.handing_on import targets_text
from segue.broker.schedule.once import recall_later, remember_later
from segue.broker.schedule.repeat import ONCE, Repeat
from segue.broker.schedule.slot import Slot
from segue.broker.topic import Topic
from segue.storage.api import times

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["Delayed", "When"]


@dataclass(frozen=True, slots=True)
class When:
    """When messages are to be delivered.

    Attributes:
        delay_ms: so long after their acceptance.
        time_ms: instead, at a time, milliseconds since 1970.
        repeat: how often; with a cron entry, the first time comes from there.
    """

    delay_ms: int = 0
    time_ms: int | None = None
    repeat: Repeat = ONCE


class Delayed:
    """A target of messages that all wait so long, or for the same time.

    There is always room: whether a queue is full is asked when the time has come.

    Attributes:
        name: as the publisher wrote it.
    """

    def __init__(self, node: Node, name: str, targets: Sequence[Queue | Topic], when: When) -> None:
        self.name = name
        self._node = node
        self._targets = tuple(dict.fromkeys(targets))
        self._text = targets_text(self._targets)
        self._when = when
        self._cron = Cron(when.repeat.cron) if when.repeat.cron else None
        self._is_plain = True
        self._slot: Slot | None = None
        self._slot_until = 0.0

    @property
    def open(self) -> bool:
        """False once one of the targets is deleted."""
        return all(target.open for target in self._targets)

    def note_expiring(self) -> None:
        """See `Queue`; it is done when the message goes there, so the frame has to say that it is to be done."""
        self._is_plain = False
        self._slot = None

    def note_grouped(self) -> None:
        """Likewise."""
        self.note_expiring()

    def note(self, record: bytes) -> None:
        """See `Queue`."""
        if times(record)[1] or group_of(record) is not None:
            self.note_expiring()

    def check_room(self, messages: int, size: int) -> None:
        """See the class."""

    def due_ms(self, now_ms: int) -> int:
        """When messages that are accepted now are to be delivered, by the clock that they wait by."""
        if self._cron is not None:
            wall_ms = self._node.clock.wall.now_ms()
            return self._cron.next_ms(wall_ms) or wall_ms
        return self._when.time_ms if self._when.time_ms is not None else now_ms + self._when.delay_ms

    @property
    def by_wall_clock(self) -> bool:
        """True when they wait for a time of day, False when for some time to pass."""
        return self._cron is not None or self._when.time_ms is not None

    def publish(self, record: bytes) -> None:
        """Accept a message."""
        self.slot().accept(record)

    @property
    def queue(self) -> Queue | None:
        """Its target, if that is one queue alone: who remembers what these messages repeat."""
        only = self._targets[0] if len(self._targets) == 1 else None
        return only if isinstance(only, Queue) else None

    def recall(self, identity: Identity) -> Acceptance | None:
        """As `Queue.recall`, for a target with a `queue`."""
        assert self.queue is not None
        return recall_later(self.queue, identity)

    def publish_once(self, identity: Identity, record: bytes) -> Acceptance:
        """As `Queue.publish_once`, for a target with a `queue`; a repeat of a message that waits, or has come."""
        if (acceptance := self.recall(identity)) is not None:
            return acceptance
        self._node.deduplication.check_room()
        assert self.queue is not None
        slot = self.slot()
        return remember_later(self.queue, identity, slot.identity(slot.accept(record)))

    def slot(self) -> Slot:
        """Where messages go that are accepted in this step of the event loop."""
        slot = self._slot
        if slot is None or not slot.open or self._node.clock.monotonic() >= self._slot_until:
            slot = self._slot = self._open_slot()
        return slot

    def _open_slot(self) -> Slot:
        clock = self._node.clock
        self._slot_until = clock.next_at()
        return self._node.schedule.slot(
            self.due_ms(clock.now_ms()),
            self._text,
            self._when.repeat,
            by_wall_clock=self.by_wall_clock,
            is_plain=self._is_plain,
        )
