"""The bytes of the messages that wait in a queue with levels: those of each level, together."""

from __future__ import annotations

from segue.broker.levels import Levels
from segue.broker.waiting_bytes import WaitingBytes

__all__ = ["LevelBytes"]


class LevelBytes:
    """As `WaitingBytes`; a level that is made later counts from its first message on."""

    __slots__ = ("_by_level", "_levels")

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._by_level: dict[int, WaitingBytes] = {}

    @property
    def open_bytes(self) -> int:
        """Of messages that are in the open batch."""
        # What is in a batch is sealed in one step, but only the levels that have some of it are told: the others still
        # count it. The one that was told last is right.
        return min(waiting.open_bytes for waiting in self._all())

    @open_bytes.setter
    def open_bytes(self, size: int) -> None:
        grown = size - self.open_bytes
        for waiting in self._all():
            waiting.open_bytes += grown

    def close(self) -> None:
        """Nobody asks any more."""
        for waiting in self._by_level.values():
            waiting.close()

    def total(self) -> int:
        """Bytes of what could be delivered, and of what was handed to the journal."""
        return sum(waiting.total() for waiting in self._all())

    def oldest(self, size: int) -> int:
        """How many messages of the lowest level that has any have so many bytes; there may not be so many there."""
        for level in self._levels.lowest_first:
            if level.cursor.ready:
                return min(level.cursor.ready, self._by_level[level.which].oldest(size))
        return 0

    def _all(self) -> list[WaitingBytes]:
        missing = [level for level in self._levels if level.which not in self._by_level]
        if missing:
            open_bytes = min((waiting.open_bytes for waiting in self._by_level.values()), default=0)
            for level in missing:
                waiting = self._by_level[level.which] = WaitingBytes(level.cursor.log, level.cursor)
                waiting.open_bytes = open_bytes
        return list(self._by_level.values())
