"""A circuit breaker: an endpoint that does not answer is left alone for a while, and asked again with one message.

Every push to an endpoint that is down waits for its time-out, and takes the place of one that could be delivered. So
after some failures in a row the circuit is *open*: nothing is sent. When its time is over it is *half-open*: one push
is let through. If that is answered the circuit is *closed*, and all is as it was; if not, it is open again, for longer.

What counts as a failure is the caller's to say. Pure: times are passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["Breaker", "BreakerStatistics", "Circuit"]

_FAILURES_MAX: Final = 5
"""Failures in a row that open the circuit: one may be chance, and each may have cost ten seconds."""
_FIRST_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 60.0
"""Open at first, and at most: it doubles. An endpoint that is back waits no longer than that for its messages."""


class Circuit(Enum):
    """States of a circuit."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class BreakerStatistics:
    """A breaker at this moment.

    Attributes:
        circuit: its state.
        failures: in a row, until now.
        opened: how often it was opened, half-open ones again included.
        wait_seconds: until the next push is let through; 0 when one may go now.
    """

    circuit: Circuit
    failures: int
    opened: int
    wait_seconds: float


class Breaker:
    """Of one endpoint.

    Invariant: `_until` is meant while the circuit is open; a push is under way in HALF_OPEN, never more than one.
    """

    __slots__ = ("_circuit", "_failures", "_open_seconds", "_opened", "_until")

    def __init__(self) -> None:
        self._circuit = Circuit.CLOSED
        self._failures = 0
        self._opened = 0
        self._until = 0.0
        self._open_seconds = _FIRST_SECONDS

    @property
    def is_blank(self) -> bool:
        """True when it remembers nothing: a new one would do the same."""
        return self._circuit is Circuit.CLOSED and not self._failures

    def admit(self, now: float) -> float:
        """Ask for a push to be let through; it is under way then, and ends with `succeed`, `fail` or `withdraw`.

        Args:
            now: monotonic seconds.

        Returns:
            0 when it is; otherwise in how many seconds to ask again.
        """
        wait = self._wait(now)
        if not wait and self._circuit is Circuit.OPEN:
            self._circuit = Circuit.HALF_OPEN
        return wait

    def succeed(self) -> None:
        """The endpoint has answered."""
        self._circuit = Circuit.CLOSED
        self._failures = 0
        self._open_seconds = _FIRST_SECONDS

    def fail(self, now: float) -> None:
        """It has not."""
        self._failures += 1
        if self._circuit is Circuit.HALF_OPEN:
            self._open_seconds = min(self._open_seconds * 2, _LONGEST_SECONDS)
            self._open(now)
        elif self._circuit is Circuit.CLOSED and self._failures >= _FAILURES_MAX:
            self._open(now)

    def withdraw(self, now: float) -> None:
        """A push has ended that says nothing about the endpoint."""
        if self._circuit is Circuit.HALF_OPEN:
            self._circuit = Circuit.OPEN
            self._until = now

    def statistics(self, now: float) -> BreakerStatistics:
        """See `BreakerStatistics`."""
        return BreakerStatistics(self._circuit, self._failures, self._opened, self._wait(now))

    def _wait(self, now: float) -> float:
        if self._circuit is Circuit.CLOSED:
            return 0.0
        if self._circuit is Circuit.HALF_OPEN:
            return self._open_seconds  # it will have ended by then, one way or the other
        return max(0.0, self._until - now)

    def _open(self, now: float) -> None:
        self._circuit = Circuit.OPEN
        self._opened += 1
        self._until = now + self._open_seconds
