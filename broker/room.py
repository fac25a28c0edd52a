"""Waiting for what the node brings about, for who is a task and not a connection: room, an answer, the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.pending import PendingError

__all__ = ["on_disk", "until_answerable", "until_let_go"]


class _Room:
    """A `segue.broker.node.Output` that has nothing to write, and only waits to be let go."""

    def __init__(self) -> None:
        self.event = trio.Event()

    def flush_output(self) -> None:
        """See `Output`."""

    def let_go(self) -> None:
        self.event.set()

    def close(self, reason: str) -> None:
        """See `Output`."""

    def abandon(self, reason: str) -> None:
        """See `Output`."""


async def until_let_go(node: Node) -> None:
    """Wait while publishers are held. They may be held again when this returns: others were let go, too.

    Cancellation: safe.
    """
    if not node.held:
        return
    room = _Room()
    node.wait_for_room(room)
    try:
        await room.event.wait()
    finally:
        node.stop_waiting(room)


async def until_answerable(node: Node, pending: PendingError) -> None:
    """Wait until the call can be made again that could not be answered.

    Cancellation: safe.
    """
    room = _Room()
    pending.wait(room)
    node.end_step()
    try:
        await room.event.wait()
    finally:
        node.stop_waiting(room)


async def on_disk(node: Node) -> None:
    """End the step, and wait until all of it is on disk."""
    durable = trio.Event()
    node.on_durable(durable.set)
    node.end_step()
    await durable.wait()
