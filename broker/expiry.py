"""Expiry: which of a queue's messages are past their deadline.

A message has a deadline of its own, in its record (`expires_ms`), and one from its queue: when it was accepted, plus
`message_ttl_ms`. The earlier one counts. A queue that has neither is never asked: see `Dispatcher.expiry`.
"""

from __future__ import annotations

from typing import Final

from segue.broker.clock import Clock
from segue.storage.api import times

__all__ = ["NEVER", "Expiry"]

NEVER: Final = 1 << 62
"""A deadline, milliseconds since 1970."""


class Expiry:
    """The deadlines of one queue or subscription."""

    __slots__ = ("_clock", "_ttl_ms")

    def __init__(self, clock: Clock, ttl_ms: int | None) -> None:
        """`ttl_ms`: how long a message may be in the queue, None for as long as it says itself."""
        self._clock = clock
        self._ttl_ms = ttl_ms

    def now_ms(self) -> int:
        """The time that deadlines are compared with."""
        return self._clock.now_ms()

    def deadline(self, record: bytes) -> int:
        """When a message may not be delivered any more."""
        accepted_ms, expires_ms = times(record)
        deadline = expires_ms or NEVER
        return deadline if self._ttl_ms is None else min(deadline, accepted_ms + self._ttl_ms)

    def living(self, records: list[bytes]) -> tuple[int, int]:
        """The first run of messages that may be delivered, as a slice: everything before it may not."""
        now_ms, deadline = self._clock.now_ms(), self.deadline
        size = len(records)
        begin = 0
        while begin < size and deadline(records[begin]) <= now_ms:
            begin += 1
        end = begin
        while end < size and deadline(records[end]) > now_ms:
            end += 1
        return begin, end
