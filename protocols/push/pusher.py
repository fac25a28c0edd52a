"""Push: all push queues of a broker, and what they share. For the interface by which push queues are configured.

pusher = Pusher(node, settings, port, client.post)
await nursery.start(pusher.serve)
queue = pusher.open("orders", "orders.tried")
queue.configure(options)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from segue.protocols.push.breaker import BreakerStatistics
from segue.protocols.push.client import PushClient
from segue.protocols.push.endpoints import Endpoints, Post
from segue.protocols.push.networks import AddressRules
from segue.protocols.push.push_queue import PushQueue
from segue.protocols.push.resolver import SystemResolver
from segue.protocols.push.results import PushResults
from segue.protocols.push.services import PushPort, PushServices
from segue.protocols.push.timers import Timers

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.settings import Push

__all__ = ["Pusher", "client_of"]


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

    def circuits(self) -> dict[str, BreakerStatistics]:
        """The endpoints that have failed lately, by URL."""
        return self._endpoints.circuits()

    @property
    def in_flight(self) -> int:
        """Pushes that are under way."""
        return self._endpoints.in_flight
