"""Which messages of a broker were published, and which were taken: at the end each once."""

from __future__ import annotations

from segue.bench.order import Sighting, runs
from segue.bench.replies import BrokerError

__all__ = ["Tally"]


class Tally:
    """All queues of one broker together. Numbers are given out from 0 and never again.

    Attributes:
        published: messages that were confirmed.
        taken: messages that were given and settled.
    """

    def __init__(self) -> None:
        self.published = 0
        self.taken = 0
        self._next = 0
        self._sighting = Sighting()

    def numbers(self, count: int) -> int:
        """The first of so many numbers, which are used up."""
        first = self._next
        self._next += count
        return first

    def confirm(self, count: int, asked: int) -> None:
        """An answer says that `count` messages are on disk.

        Raises:
            BrokerError: that is not as many as were published.
        """
        if count != asked:
            raise BrokerError(f"{count} messages were confirmed, not {asked}")
        self.published += count

    def take(self, numbers: list[int]) -> None:
        """These were given to a consumer, and are settled."""
        for run in runs(numbers):
            self._sighting.add(run)
        self.taken += len(numbers)

    def faults(self) -> str:
        """What is wrong when all queues are empty again; empty for nothing."""
        missing, again = self.published - self._sighting.unique, self._sighting.duplicates
        return f"{missing} messages missing, {again} twice" if missing or again else ""
