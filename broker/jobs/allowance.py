"""How many messages a job may pass on now, when there is a limit to a second."""

from __future__ import annotations

from typing import Final

import trio

__all__ = ["Allowance"]

_NO_LIMIT: Final = 1 << 62
_BURST_SECONDS: Final = 0.1
"""What was not used is kept for so long: a job that had to wait does not make up for it."""


class Allowance:
    """A bucket that fills steadily, with the clock of the event loop."""

    def __init__(self, rate: int) -> None:
        """`rate`: messages a second, 0 for no limit."""
        self._rate = rate
        self._size = max(1.0, rate * _BURST_SECONDS)
        self._left = 1.0
        self._filled = trio.current_time()

    async def wait(self) -> int:
        """How many may be passed on now, at least one; waits until it may be one."""
        if not self._rate:
            return _NO_LIMIT
        self._fill()
        if self._left < 1:
            # The whole bucket, not one drop: a step for each message would cost a sync for each.
            await trio.sleep((self._size - self._left) / self._rate)
            self._fill()
        return max(1, int(self._left))

    def use(self, messages: int) -> None:
        """So many were passed on."""
        self._left -= messages

    def _fill(self) -> None:
        now = trio.current_time()
        self._left = min(self._size, self._left + (now - self._filled) * self._rate)
        self._filled = now
