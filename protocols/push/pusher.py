"""Push: all push queues of a broker, and what they share. For the interface by which push queues are configured.

pusher = Pusher(node, settings, port, client.post)
await nursery.start(pusher.serve)
queue = pusher.open("orders", "orders.tried")
queue.configure(options)
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import trio

from segue.protocols.push.breaker import BreakerStatistics
from segue.protocols.push.client import PushClient
from segue.protocols.push.endpoints import Endpoints, Post, shown_url
from segue.protocols.push.networks import AddressRules
from segue.protocols.push.push_queue import PushQueue
from segue.protocols.push.resolver import SystemResolver
from segue.protocols.push.results import PushResults
from segue.protocols.push.services import PushCounts, PushPort, PushServices
from segue.protocols.push.timers import Timers

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.settings import Push

__all__ = ["Pusher", "client_of"]

_ENDPOINTS_SHOWN: Final = 100


def client_of(settings: Push) -> PushClient:
    """The client that the settings describe."""
    return PushClient(AddressRules(settings.allow_addresses), SystemResolver(), settings.ca_files)


class Pusher:
    """See the module."""

    def __init__(self, node: Node, settings: Push, port: PushPort, post: Post) -> None:
        """`post`: what pushes, `client_of(settings).post` but in tests."""
        self._node = node
        self._settings = settings
        self._port = port
        self._endpoints = Endpoints(
            post,
            node.clock.monotonic,
            node.log,
            timeout_seconds=settings.timeout_seconds,
            in_flight_max=settings.in_flight_max,
        )
        self._timers = Timers(node)
        self._results = PushResults()
        self._counts = PushCounts()
        self._services: PushServices | None = None
        self._queues: dict[str, PushQueue] = {}

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Push, until cancelled; push queues may be opened once this has started.

        Cancellation: messages whose pushes are under way go back to their places, and are pushed again some time.
        """
        async with trio.open_nursery() as nursery:
            self._services = PushServices(
                self._node,
                self._port,
                self._endpoints,
                self._results,
                self._counts,
                self._timers,
                nursery,
                self._settings.queue_in_flight_max,
            )
            task_status.started()
            try:
                await self._timers.serve()
            finally:
                self._services = None
                for queue in self._queues.values():
                    queue.close()

    def open(self, name: str, tried_name: str) -> PushQueue:
        """Make a push queue of a queue that is there; it pushes as soon as it is configured.

        Args:
            name: of the queue.
            tried_name: of the queue of the tried, see push_queue.py; it is made when it is needed.

        Raises:
            NotFoundError: there is no such queue.
        """
        assert self._services is not None
        queue = self._node.existing_queue(name)
        opened = self._queues[name] = PushQueue(self._services, queue, tried_name)
        return opened

    def close(self, name: str) -> None:
        """It is no push queue any more, or about to be deleted. Messages that are held go back to their places."""
        queue = self._queues.pop(name, None)
        if queue is not None:
            queue.close()

    def get(self, name: str) -> PushQueue | None:
        """The push queue of a name."""
        return self._queues.get(name)

    def state(self) -> dict[str, Any]:
        """What an operator sees: plain values, see docs/reference/statistics.md."""
        circuits = self._endpoints.circuits()
        return {
            "queues": len(self._queues),
            "in_flight": self._endpoints.in_flight,
            **asdict(self._counts),
            "endpoints_failing": len(circuits),
            "endpoints": [_endpoint(url, breaker) for url, breaker in islice(circuits.items(), _ENDPOINTS_SHOWN)],
        }


def _endpoint(url: str, breaker: BreakerStatistics) -> dict[str, Any]:
    return {
        "url": shown_url(url),
        "circuit": breaker.circuit.value,
        "failures": breaker.failures,
        "opened": breaker.opened,
        "wait_seconds": breaker.wait_seconds,
    }
