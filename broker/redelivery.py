"""Redelivery: when messages that consumers return come again.

Mostly at once, and in their places. A consumer may say otherwise (`delay` on NACK), and so may the queue
(`redelivery_delay_ms`, which grows with every delivery): such a message is *put off*. That is written first, as its
standing, which also says when it is due: a crash does not make it come earlier. Then, as soon as its bytes are at hand,
it is moved to the schedule, in one batch. From there it comes back to the end of its queue, and brings along how often
it was delivered: that stands in its record, where nobody else looks, so only a queue that has ever put off anything
asks for it. In its place it would be a hole of the cursor for as long as it waits, and holes are few; a queue whose
consumers can't work now would be full of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from segue.broker.dead_letters import Burial, Reason, condemned, due_of, sentence_of
from segue.storage.api import CONDEMNED, deliveries_of

if TYPE_CHECKING:
    from segue.broker.queue import Queue
    from segue.broker.queue_options import QueueOptions

__all__ = ["Redelivery", "back_off_ms", "deliveries_with", "run_of_new"]

_LONGEST_MS: Final = 100 * 36525 * 864_000
"""A hundred years, as for any message that waits."""
_Bury: TypeAlias = Callable[[int, int, bytes], Burial]


def back_off_ms(options: QueueOptions, deliveries: int) -> int:
    """How long a message is put off that was delivered so often, by the options of its queue."""
    first_ms, most_ms = options.redelivery_delay_ms, options.redelivery_delay_max_ms
    if not first_ms:
        return 0
    steps = min(deliveries - 1, 64)  # 2 to that is more than any bound
    factor: int = max(1, options.redelivery_multiplier) ** max(0, steps)
    return min(first_ms * factor, most_ms or _LONGEST_MS)


def deliveries_with(record: bytes, standing: int) -> int:
    """How often a message was delivered, by its standing and by what its record says of before it was put off.

    A standing of 0 is that of a message that was only read since then. A crash forgets how often others were delivered.
    """
    before = deliveries_of(record)
    return max(standing, before + 1) if before and standing else before or standing


def run_of_new(records: list[bytes]) -> int:
    """How many messages, from the first on, were never delivered before they were put where they are."""
    return next((at for at, record in enumerate(records) if deliveries_of(record)), len(records))


class Redelivery:
    """Of one queue. In memory: nothing."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._bury_dead: _Bury | None = None

    def before(self, bury_dead: _Bury | None) -> _Bury:
        """What a dispatcher is to bury with, when `bury_dead` does so for dead letters; None: these are given up."""
        self._bury_dead = bury_dead
        return self._bury

    def put_off(self, messages: dict[int, int], delay_ms: int | None, delivery_limit: int) -> dict[int, int]:
        """The standings of messages (number → deliveries) that come back: which are put off, and which are not.

        Args:
            messages: what a consumer returns.
            delay_ms: for how long; None for as long as the queue says.
            delivery_limit: what has reached it is not put off any more; 0 for none.
        """
        standings = {}
        for seq, deliveries in messages.items():
            wait_ms = back_off_ms(self._queue.options, deliveries) if delay_ms is None else delay_ms
            is_dead = deliveries >= CONDEMNED or 0 < delivery_limit <= deliveries
            if is_dead or not wait_ms:
                standings[seq] = deliveries
            else:
                due_ms = self._queue.node.schedule.due_in(wait_ms)
                standings[seq] = condemned(deliveries, Reason.PUT_OFF, due_ms)
                self._queue.note_put_off()
        return standings

    def _bury(self, seq: int, standing: int, record: bytes) -> Burial:
        deliveries, reason = sentence_of(standing)
        if reason is not Reason.PUT_OFF:
            return Burial.GIVEN_UP if self._bury_dead is None else self._bury_dead(seq, standing, record)
        queue = self._queue
        schedule = queue.node.schedule
        due_ms = due_of(standing) or schedule.due_in(back_off_ms(queue.options, deliveries))
        schedule.put_off(queue.name, record, due_ms, deliveries)
        queue.node.store.want()
        return Burial.PUT_OFF
