"""`/metrics`: what the broker counts anyway, for Prometheus and whatever else reads OpenMetrics.

Nothing is counted for it while messages pass. All queues are asked, some of them in a step, and the text about each of
them is written likewise, as fast as it is read: ten thousand queues keep nobody waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import trio

from segue import broker
from segue.broker import inspect
from segue.broker.queue import Queue, QueueStatistics
from segue.protocols.admin.metric_table import BROKER, QUEUES, QueueMetric, State
from segue.protocols.admin.openmetrics import CONTENT_TYPE, END, Family
from segue.protocols.http import Exchange, HttpError, Route, Routes
from segue.protocols.http.credentials import Credentials
from segue.protocols.http.exchange import plain_error

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["BUILD", "Metrics", "mount"]

BUILD: Final = Family("segue_build", "info", "What runs: the label says its version.")
_QUEUES_A_STEP: Final = 100
"""Asked before others have their turn: about a millisecond."""
_LINES_A_STEP: Final = 500
_ANSWERS_MAX: Final = 4
"""At a time: with ten thousand queues, each holds some MiB until it is read."""


def mount(node: Node, routes: Routes) -> None:
    """See `segue.protocols.http.server.Mount`."""
    metrics = Metrics(node, per_queue=node.settings.http.metrics_per_queue)
    guarded = Credentials(node).guarded(metrics.serve)

    def serve(exchange: Exchange) -> None:
        # As at every door: without users, whoever is on this machine is let in.
        is_open = not node.settings.users and exchange.peer_is_loopback
        (metrics.serve if is_open else guarded)(exchange)

    routes.add(Route("GET", "/metrics", serve, plain_error))


class Metrics:
    """Answers with all metrics."""

    def __init__(self, node: Node, *, per_queue: bool, cpu_seconds: Callable[[], float] = time.process_time) -> None:
        """For a broker.

        Args:
            node: the broker.
            per_queue: there are metrics of each queue, too.
            cpu_seconds: of this process.
        """
        self._node = node
        self._per_queue = per_queue
        self._cpu_seconds = cpu_seconds
        self._answering = 0

    def serve(self, exchange: Exchange) -> None:
        """A `Handler`."""
        if self._answering >= _ANSWERS_MAX:
            text = f"{_ANSWERS_MAX} others are reading the metrics"
            raise HttpError(503, "metrics-busy", text, headers=[(b"retry-after", b"1")])
        exchange.start(lambda: self._answer(exchange))

    async def _answer(self, exchange: Exchange) -> None:
        self._answering += 1
        try:
            queues = await self._ask_queues()
            of_broker = "".join(_broker_lines(self._state(queues)))
            exchange.begin(200, content_type=CONTENT_TYPE)
            exchange.write(of_broker.encode())
            for metric in QUEUES if self._per_queue else ():
                await _write_queues(exchange, metric, queues)
            exchange.write(END.encode())
            exchange.end()
        finally:
            self._answering -= 1

    async def _ask_queues(self) -> list[QueueStatistics]:
        asked: list[tuple[Queue, QueueStatistics]] = []
        for number, queue in enumerate(list(self._node.queues.values()), 1):
            if queue.open:
                asked.append((queue, queue.statistics()))
            if number % _QUEUES_A_STEP == 0:
                await trio.lowlevel.checkpoint()
        # What was deleted meanwhile has said its last word to the totals.
        return [statistics for queue, statistics in asked if queue.open]

    def _state(self, queues: Sequence[QueueStatistics]) -> State:
        state = inspect.state(self._node)
        state["messages"] = {
            **self._node.totals.with_queues(queues),
            "ready": sum(queue.ready for queue in queues),
            "in_flight": sum(queue.in_flight for queue in queues),
        }
        state["process"] = {"cpu_seconds": self._cpu_seconds(), "start_seconds": state["started_ms"] / 1000}
        return state


def _broker_lines(state: State) -> Iterator[str]:
    yield BUILD.head()
    yield BUILD.sample(1, {"version": broker.__version__})
    for family, value in BROKER:
        yield family.head()
        yield family.sample(value(state))


async def _write_queues(exchange: Exchange, metric: QueueMetric, queues: Sequence[QueueStatistics]) -> None:
    family, value = metric
    exchange.write(family.head().encode())
    for start in range(0, len(queues), _LINES_A_STEP):
        some = queues[start : start + _LINES_A_STEP]
        exchange.write("".join([family.sample(value(queue), {"queue": queue.name}) for queue in some]).encode())
        await exchange.drained()
