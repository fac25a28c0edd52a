"""The deduplication window of a queue: which ids were accepted lately. In memory; a restart forgets it."""

from __future__ import annotations

from typing import Final

__all__ = ["DeduplicationWindow"]

_IDS_MAX: Final = 100_000
_SECONDS: Final = 600.0
"""SQS remembers ids for 5 minutes, Artemis 20,000 ids; a client that retries after a broken connection needs less."""


class DeduplicationWindow:
    """Ids in the order of their arrival; the oldest go when there are too many, or when their time is over."""

    __slots__ = ("_accepted",)

    def __init__(self) -> None:
        self._accepted: dict[str, float] = {}

    def is_repeat(self, deduplication_id: str, now: float) -> bool:
        """True when this id was given before within the window; otherwise it is remembered.

        Args:
            deduplication_id: as the publisher gave it.
            now: monotonic seconds.
        """
        accepted = self._accepted
        self._forget(now)
        if deduplication_id in accepted:
            return True
        accepted[deduplication_id] = now
        return False

    def _forget(self, now: float) -> None:
        accepted = self._accepted
        while accepted:
            oldest = next(iter(accepted))
            if len(accepted) < _IDS_MAX and now - accepted[oldest] < _SECONDS:
                return
            del accepted[oldest]
