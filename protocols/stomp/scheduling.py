"""What STOMP clients have to do with the schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segue.broker.composite import Part
from segue.broker.queue import MemoryQueue
from segue.broker.schedule.cron import CronError
from segue.broker.schedule.delayed import Delayed, When
from segue.broker.schedule.repeat import Repeat
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, not_supported, quote
from segue.protocols.stomp.headers import SendOptions

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["delayed_target"]


def delayed_target(node: Node, name: str, parts: Sequence[Part], options: SendOptions) -> Delayed:
    """Where a SEND that is to be delivered later goes.

    Raises:
        StompProtocolError: NOT_SUPPORTED, INVALID_HEADER.
    """
    schedule = options.schedule
    assert schedule is not None
    if any(isinstance(target, MemoryQueue) for target, _ in parts):
        raise not_supported("messages for later in a temporary queue, which may be gone then")
    targets = [target for target, _ in parts]
    if len(targets) > 1 and (options.deduplication_id is not None or options.producer_name is not None):
        raise not_supported("a deduplication id or a 'sequence-id' on a message for later to several destinations")
    repeat = Repeat(schedule.period_ms, schedule.repeats, schedule.cron, schedule.delay_ms, options.lives_ms)
    if not schedule.cron:
        repeat = repeat.at_each_time
    try:
        return Delayed(node, name, targets, When(schedule.delay_ms, schedule.time_ms, repeat))
    except CronError as error:
        problem = f"'{quote(schedule.cron)}' is no value for 'AMQ_SCHEDULED_CRON': {error}"
        raise StompProtocolError(ErrorCode.INVALID_HEADER, problem) from error
