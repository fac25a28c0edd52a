"""What STOMP clients have to do with the schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segue.broker.composite import Part
from segue.broker.queue import MemoryQueue
from segue.broker.schedule.delayed import Delayed
from segue.protocols.stomp.errors import not_supported
from segue.protocols.stomp.headers import SendOptions

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["delayed_target"]


def delayed_target(node: Node, name: str, parts: Sequence[Part], options: SendOptions) -> Delayed:
    """Where a SEND that is to be delivered later goes.

    Raises:
        StompProtocolError: NOT_SUPPORTED.
    """
    schedule = options.schedule
    assert schedule is not None
    if any(isinstance(target, MemoryQueue) for target, _ in parts):
        raise not_supported("messages for later in a temporary queue, which may be gone then")
    if options.deduplication_id is not None or options.producer_name is not None:
        raise not_supported("a deduplication id or a 'sequence-id' on a message for later")
    targets = [target for target, _ in parts]
    return Delayed(node, name, targets, delay_ms=schedule.delay_ms, time_ms=schedule.time_ms)
