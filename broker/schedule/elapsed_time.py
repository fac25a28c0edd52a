"""The clock of delays: it shows the time of day when the broker starts, and goes on whoever sets the other."""

from __future__ import annotations

from segue.broker.clock import Clock

__all__ = ["ElapsedTime"]


class ElapsedTime:
    """Milliseconds since 1970, but for what the wall clock was set by since delays are kept."""

    def __init__(self, clock: Clock, offset_ms: int = 0) -> None:
        """`offset_ms`: what an earlier one was ahead of the wall clock."""
        self._clock = clock
        self._base_ms = clock.now_ms() + offset_ms - clock.monotonic() * 1000

    def now_ms(self) -> int:
        """The time that delays are counted by."""
        return int(self._base_ms + self._clock.monotonic() * 1000)

    def next_at(self) -> float:
        """The monotonic time, seconds, at which `now_ms` changes."""
        return (self.now_ms() + 1 - self._base_ms) / 1000

    @property
    def offset_ms(self) -> int:
        """How far it is ahead of the wall clock."""
        return self.now_ms() - self._clock.now_ms()
