"""What all queues together have done since the start of the broker, those included that are deleted by now.

The sum over the queues that there are would shrink with each that is deleted, and whoever watches a counter takes that
for a restart. Nothing is counted here while messages pass: queues count, and are asked when somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from segue.broker.queue import Queue, QueueStatistics

__all__ = ["COUNTS", "Totals"]

COUNTS: Final = ("published", "delivered", "acknowledged", "dead_lettered", "discarded", "expired", "dropped")
"""Of `QueueStatistics`: what never becomes less."""


class Totals:
    """See the module."""

    __slots__ = ("_deleted",)

    def __init__(self, queues: Iterable[Queue]) -> None:
        """`queues`: those that the store had; what was published to them before does not count."""
        self._deleted = dict.fromkeys(COUNTS, 0)
        self._deleted["published"] = -sum(queue.accepted for queue in queues)

    def note_deleted(self, statistics: QueueStatistics) -> None:
        """A queue is about to be deleted."""
        for name in COUNTS:
            self._deleted[name] += getattr(statistics, name)

    def with_queues(self, counted: Iterable[QueueStatistics]) -> dict[str, int]:
        """The sums, by the names of `COUNTS`.

        Args:
            counted: of all queues that there are, and of no other.
        """
        sums = dict(self._deleted)
        for statistics in counted:
            for name in COUNTS:
                sums[name] += getattr(statistics, name)
        return sums
