"""Marks: what the definition of a log says that messages in it have brought along, such as deadlines or groups.

Nobody looks at each message of a queue without such features: the first one that has one marks the queue. The mark goes
at a start, if the queue is empty then; not before, for a publisher marks a queue once, and not with each message.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from segue.broker.groups import group_of
from segue.storage.api import Log, Store, times

__all__ = ["Marked", "mark", "unmark"]

_MARKS: Final = frozenset({"expiring", "grouped", "puts_off"})


def mark(store: Store, log: Log, name: str) -> bool:
    """Note in a log's definition that there are such messages. False if it is there already.

    Durability: with the open batch.
    """
    if log.definition.get(name):
        return False
    store.redefine(log, {**log.definition, name: True})
    return True


def unmark(store: Store, log: Log) -> None:
    """Nothing in a log has such features any more. Durable with the open batch."""
    if not _MARKS.isdisjoint(log.definition):
        store.redefine(log, {name: value for name, value in log.definition.items() if name not in _MARKS})


class Marked(ABC):
    """What publishers send to: a queue, a topic, or a list of these."""

    @abstractmethod
    def note_expiring(self) -> None:
        """A message with a deadline of its own is about to be published here. Durable with the open batch."""

    @abstractmethod
    def note_grouped(self) -> None:
        """As `note_expiring`, of a message that belongs to a group."""

    def note(self, record: bytes) -> None:
        """A message that was accepted elsewhere is about to be published here: note what it brings along."""
        if times(record)[1]:
            self.note_expiring()
        if group_of(record) is not None:
            self.note_grouped()
