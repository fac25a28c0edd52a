"""Time, passed in: wall clock for what is written down, monotonic for what is waited for."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Where the broker takes its time from."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC. May jump."""

    def monotonic(self) -> float:
        """Seconds since some moment. Never jumps."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()
