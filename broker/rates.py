"""How fast queues are filled and drained: counts are looked at every few seconds, and the difference is the rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from segue.broker.queue import Queue

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["INTERVAL_SECONDS", "RateMeter"]

INTERVAL_SECONDS: Final = 5.0
"""Between two looks. RabbitMQ's management plug-in collects every 5 s, too."""
_QUEUES_A_STEP: Final = 250
"""Looked at before others get their turn: about a millisecond."""

_KINDS: Final = ("publish", "deliver", "acknowledge")
_Counts = tuple[int, int, int]


class RateMeter:
    """Messages a second, over the last whole interval.

    In memory only. A queue that is younger than an interval has no rates yet: they are 0.

    Attributes:
        totals: of all queues together.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._counts: dict[str, tuple[Queue, _Counts]] = {}
        self._rates: dict[str, tuple[Queue, dict[str, float]]] = {}
        self._looked: float | None = None
        self.totals = dict.fromkeys(_KINDS, 0.0)

    def of(self, queue: Queue) -> dict[str, float]:
        """The rates of a queue: publish, deliver, acknowledge."""
        known = self._rates.get(queue.name)
        if known is None or known[0] is not queue:  # a queue deleted and declared again is another one
            return dict.fromkeys(_KINDS, 0.0)
        return known[1]

    async def serve(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await trio.sleep(INTERVAL_SECONDS)

    async def look(self) -> None:
        """Read all counts; the rates are those since the last look."""
        now = self._node.clock.monotonic()
        elapsed = now - self._looked if self._looked is not None else 0.0
        self._looked = now
        counts: dict[str, tuple[Queue, _Counts]] = {}
        rates: dict[str, tuple[Queue, dict[str, float]]] = {}
        totals = [0.0, 0.0, 0.0]
        for index, queue in enumerate(list(self._node.queues.values())):
            if index % _QUEUES_A_STEP == _QUEUES_A_STEP - 1:
                await trio.lowlevel.checkpoint()
            seen = _counts_of(queue)
            counts[queue.name] = queue, seen
            before = self._counts.get(queue.name)
            if before is not None and before[0] is queue and before[1] != seen and elapsed > 0:
                values = [(new - old) / elapsed for new, old in zip(seen, before[1], strict=True)]
                rates[queue.name] = queue, dict(zip(_KINDS, values, strict=True))
                totals = [total + value for total, value in zip(totals, values, strict=True)]
        self._counts, self._rates = counts, rates
        self.totals = dict(zip(_KINDS, totals, strict=True))


def _counts_of(queue: Queue) -> _Counts:
    dispatcher = queue.dispatcher
    return queue.accepted, dispatcher.delivered, dispatcher.acknowledged
