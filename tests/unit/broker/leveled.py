"""Queues with priorities, for unit tests: made, filled, and put on disk."""

from __future__ import annotations

from segue.broker.levels import Levels
from segue.broker.message import encode, prefix
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from tests.unit.broker.actors import World

__all__ = ["IN_ORDER", "MIXED", "declare", "levels_of", "message", "publish", "spill"]


def declare(world: World, name: str = "q", priority_max: int = 9, **options: object) -> Queue:
    return world.node.declare_queue(name, options=QueueOptions(priority_max=priority_max, **options))  # type: ignore[arg-type]


def message(body: str, priority: int | None = None, expires_ms: int = 0, accepted_ms: int = 1000) -> bytes:
    headers = b"" if priority is None else b"priority:%d\n" % priority
    return encode(*prefix(accepted_ms, headers + b"content-length:1\n\n", expires_ms=expires_ms), body.encode())


def publish(world: World, queue: Queue, *messages: tuple[str, int | None]) -> list[int]:
    numbers = [queue.publish(message(body, priority)) for body, priority in messages]
    world.node.store.want()
    world.settle_down()
    return numbers


def levels_of(queue: Queue) -> Levels:
    assert queue.levels is not None
    return queue.levels


def spill(world: World, queue: Queue) -> None:
    """Everything of it is on disk alone."""
    for log in queue.logs:
        world.store.spill(log)


MIXED = [("a", 0), ("b", 9), ("c", None), ("d", 4), ("e", 9), ("f", 0), ("g", 5)]
IN_ORDER = ["b", "e", "g", "c", "d", "a", "f"]
