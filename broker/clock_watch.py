"""The watch over the clock on the wall: that it was set is told to the log, and written down for the next start.

Written down, because times in records are those of the steady clock: after a restart it has to go on where it was.
"""

from __future__ import annotations

from typing import Any, Final

from segue.broker.clock import SteadyClock
from segue.broker.log_lines import Log
from segue.storage.api import Log as StorageLog
from segue.storage.api import Store

__all__ = ["KIND", "ClockWatch"]

KIND: Final = "clock"
"""Of the log whose definition keeps how far the clocks are apart. Where nobody has ever set one, there is none."""


class ClockWatch:
    """Of one node."""

    def __init__(self, store: Store, clock: SteadyClock, log: Log) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._kept: StorageLog | None = None

    def take_up(self, kept: StorageLog) -> None:
        """The clock was set before the start."""
        self._kept = kept
        self._clock.go_on(int(kept.definition["ahead_ms"]), int(kept.definition["reached_ms"]))

    def look(self) -> int:
        """To be called every second or so. Returns by how many milliseconds it was set; durable with the open batch."""
        set_by_ms = self._clock.look()
        if not set_by_ms:
            return 0
        self._log.warning("clock.set", by_ms=set_by_ms)
        definition: dict[str, Any] = {
            "kind": KIND,
            "ahead_ms": self._clock.ahead_ms,
            "reached_ms": self._clock.now_ms(),
        }
        if self._kept is None:
            self._kept = self._store.create_log(definition)
        else:
            self._store.redefine(self._kept, definition)
        return set_by_ms
