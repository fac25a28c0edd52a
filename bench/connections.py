"""Idle connections: open many, each with a subscription, and hold them."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

from segue.bench import frames
from segue.bench.link import Link
from segue.bench.replies import BrokerError
from segue.bench.target import Target

__all__ = ["Connections", "open_connections"]

_PREFETCH = 100


@dataclass(frozen=True, slots=True)
class Connections:
    """What was opened: as many as the broker took, and why it took no more (empty if it took all)."""

    links: tuple[Link, ...]
    seconds: float
    error: str

    def close(self) -> None:
        """Close all."""
        for link in self.links:
            link.close()


def open_connections(target: Target, count: int, watch: Callable[[int], None] | None = None) -> Connections:
    """Open `count` connections, spread over the target's queues; `watch` is told how many there are."""
    _allow_descriptors()
    started = time.monotonic()
    links: list[Link] = []
    error = ""
    try:
        for number in range(count):
            links.append(_open(target, number % target.queues))
            if watch is not None:
                watch(len(links))
    except BrokerError as refused:
        error = str(refused)
    return Connections(tuple(links), time.monotonic() - started, error)


def _open(target: Target, queue: int) -> Link:
    link = Link(target)
    destination = target.queue(queue)
    request = frames.subscribe(0, destination, "client-individual", _PREFETCH, target.subscribe_headers)
    try:
        link.request(request, b"RECEIPT")
    except BrokerError:
        link.close()
        raise
    return link


def _allow_descriptors() -> None:
    """As many open files as this user may have: the soft limit is often 1,024."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
