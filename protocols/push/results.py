"""What has become of messages that were pushed lately, for whoever asks: in memory, and only so many."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from segue.protocols.push.message import PushMessage
from segue.protocols.push.tries import Tries

__all__ = ["PushResult", "PushResults"]

_RESULTS_MAX: Final = 10_000
_BODY_BYTES_MAX: Final = 16 << 20
"""Of all bodies together."""


class PushResult(NamedTuple):
    """A message, and its tries."""

    message: PushMessage
    tries: Tries


class PushResults:
    """See the module: the newest of all push queues."""

    def __init__(self) -> None:
        self._results: OrderedDict[tuple[str, str], PushResult] = OrderedDict()
        self._body_bytes = 0

    def __len__(self) -> int:
        return len(self._results)

    def add(self, queue: str, result: PushResult) -> None:
        """Remember a message; the oldest are forgotten for it."""
        self.forget(queue, result.message.id)
        self._results[queue, result.message.id] = result
        self._body_bytes += len(result.message.body)
        while len(self._results) > _RESULTS_MAX or self._body_bytes > _BODY_BYTES_MAX:
            _, oldest = self._results.popitem(last=False)
            self._body_bytes -= len(oldest.message.body)

    def forget(self, queue: str, message_id: str) -> None:
        """It is to be asked for elsewhere."""
        found = self._results.pop((queue, message_id), None)
        if found is not None:
            self._body_bytes -= len(found.message.body)

    def get(self, queue: str, message_id: str) -> PushResult | None:
        """What was remembered of a message."""
        return self._results.get((queue, message_id))
