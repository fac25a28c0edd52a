"""Time, passed in: wall clock for what people read, monotonic for what is waited for, steady for deadlines."""

from __future__ import annotations

import time
from typing import Final, Protocol

__all__ = ["Clock", "SteadyClock", "SystemClock"]

_SET_MS: Final = 1000
"""By less than this nobody sets a clock; they are pulled."""


class Clock(Protocol):
    """Where the broker takes its time from."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""

    def monotonic(self) -> float:
        """Seconds since some moment. Never jumps."""


class SystemClock:
    """The machine's clocks. The one on the wall may jump."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    monotonic = staticmethod(time.monotonic)


class SteadyClock:
    """A clock that shows the time of day when it is made, and from then on goes as the monotonic one does.

    Deadlines and windows are counted by it: who sets the clock on the wall makes none of them shorter or longer.

    Attributes:
        wall: the clock that people read.
        ahead_ms: how far this one is ahead of it, as far as `look` knows; 0 as long as nobody has set that one.
    """

    def __init__(self, wall: Clock) -> None:
        self.wall = wall
        self.ahead_ms = 0
        self.monotonic = wall.monotonic
        self._base_ms = wall.now_ms() - wall.monotonic() * 1000

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC, but for `ahead_ms`. Never jumps."""
        return int(self._base_ms + self.monotonic() * 1000)

    def next_at(self) -> float:
        """The monotonic time, seconds, at which `now_ms` changes."""
        return (self.now_ms() + 1 - self._base_ms) / 1000

    def go_on(self, ahead_ms: int, reached_ms: int) -> None:
        """It goes on as an earlier one, which was so far ahead and has shown that time: it does not go back behind it.

        A machine whose clock stands at 1970 after each start could otherwise bring times before that.
        """
        start_ms = max(self.wall.now_ms() + ahead_ms, reached_ms)
        self._base_ms = start_ms - self.monotonic() * 1000
        self.ahead_ms = ahead_ms

    def look(self) -> int:
        """Notice that the wall clock was set. Returns by how many milliseconds; 0 if it was not."""
        ahead_ms = self.now_ms() - self.wall.now_ms()
        set_by = self.ahead_ms - ahead_ms
        if abs(set_by) < _SET_MS:
            return 0
        self.ahead_ms = ahead_ms
        return set_by

    def of_wall(self, time_ms: int) -> int:
        """What this clock shows when the one on the wall shows a time."""
        return time_ms + self.ahead_ms

    def on_wall(self, time_ms: int) -> int:
        """What the clock on the wall shows when this one shows a time."""
        return time_ms - self.ahead_ms
