"""Messages for later that are published once: what their queue remembers of them, so that a repeat adds nothing.

A message that is published at once is remembered by its number in the queue, and a repeat is told that. One for later
has no number there yet; it has a name of three. So there are two entries for it: under its own identity stands when it
is due, with a mark; under the one beside it, the log and the number that it has there. This one is written first, and
so is never remembered for longer: an identity that is new again has nothing beside it.
"""

from __future__ import annotations

from typing import Final

from segue.broker.deduplication import LATER, Acceptance, Identity
from segue.broker.queue import Queue
from segue.broker.schedule.scheduled_message import ScheduleId

__all__ = ["recall_later", "remember_later"]

_SEQ_BITS: Final = 32
_PLACES: Final = 1 << 63
"""So much of an entry is there for a place: two thousand million logs, four thousand million messages in each."""


def recall_later(queue: Queue, identity: Identity) -> Acceptance | None:
    """The answer to a repeat, with its name if it was for later as well; None for a message that is new.

    Raises:
        RecallPendingError: as `Queue.recall`.
    """
    acceptance = queue.recall(identity)
    if acceptance is None or acceptance.due_ms is None:
        return acceptance
    beside = queue.recall(identity.beside)
    if beside is None or not beside.seq:
        return acceptance
    log, seq = divmod(beside.seq, 1 << _SEQ_BITS)
    return acceptance._replace(schedule_id=str(ScheduleId(acceptance.due_ms, log, seq)))


def remember_later(queue: Queue, identity: Identity, name: ScheduleId) -> Acceptance:
    """A message of this identity was accepted, and waits; the answer to it. Durable with the open batch, as itself."""
    place = name.log << _SEQ_BITS | name.seq
    if place < _PLACES and name.seq < 1 << _SEQ_BITS:
        queue.remember(identity.beside, place)
    acceptance = queue.remember(identity, LATER + name.due_ms)
    return acceptance._replace(seq=0, schedule_id=str(name))
