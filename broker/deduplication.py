"""The deduplication window: which ids were accepted lately, by queue. In memory; a restart forgets it."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

__all__ = ["DeduplicationWindow"]

_IDS_MAX: Final = 200_000
"""Over all queues: 40 MB. SQS remembers ids for 5 minutes, Artemis 20,000 an address; who repeats himself after his
connection broke needs less of both."""
_SECONDS: Final = 600.0
_DIGEST_BYTES: Final = 16


class DeduplicationWindow:
    """Ids of all queues in the order of their arrival; the oldest go when there are too many, or their time is over."""

    __slots__ = ("_accepted", "_ids_max")

    def __init__(self, ids_max: int = _IDS_MAX) -> None:
        self._ids_max = ids_max
        self._accepted: OrderedDict[bytes, float] = OrderedDict()  # a dict would look for its first key for ever longer

    def __len__(self) -> int:
        return len(self._accepted)

    def is_repeat(self, queue: int, deduplication_id: str, now: float) -> bool:
        """True when this id was given for this queue before within the window; otherwise it is remembered.

        Args:
            queue: the number of the queue's log, which is never used again.
            deduplication_id: as the publisher gave it. A digest of it is kept, as it may be long.
            now: monotonic seconds.
        """
        accepted = self._accepted
        self.forget(now)
        text = deduplication_id.encode("utf-8", "surrogatepass")
        key = blake2b(text, digest_size=_DIGEST_BYTES, salt=queue.to_bytes(8, "big", signed=True)).digest()
        if key in accepted:
            return True
        if len(accepted) >= self._ids_max:
            accepted.popitem(last=False)
        accepted[key] = now
        return False

    def forget(self, now: float) -> None:
        """Let go of ids whose time is over."""
        accepted = self._accepted
        while accepted and now - accepted[next(iter(accepted))] >= _SECONDS:
            accepted.popitem(last=False)
