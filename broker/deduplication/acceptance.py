"""What a publisher learns of a message that may be a repeat: where it stands, or that he has to wait a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from segue.broker.pending import PendingError

if TYPE_CHECKING:
    from segue.broker.deduplication.recall import Recall

__all__ = ["LATER", "Acceptance", "RecallPendingError", "repeat_of"]

LATER: Final = 1 << 63
"""What is remembered of a message, from this on: when it is due, above it. Below it: its sequence number."""


class Acceptance(NamedTuple):
    """The answer to a message.

    Attributes:
        seq: its sequence number in the queue; of a repeat: that of the first one, 0 where it is not known any more.
        repeat: it was accepted before, and nothing was added.
        last: the producer's last number that was accepted, 0 before the first; None where the message had none.
        due_ms: of a repeat of a message for later: when that one was due, 0 for again and again; else None.
        schedule_id: what a message for later is called, as far as that is known.
    """

    seq: int
    repeat: bool
    last: int | None = None
    due_ms: int | None = None
    schedule_id: str = ""


def repeat_of(remembered: int, last: int | None = None) -> Acceptance:
    """The answer to a repeat, by what is remembered of the first one; `last` as in `Acceptance`."""
    return Acceptance(remembered, True, last) if remembered < LATER else Acceptance(0, True, last, remembered - LATER)


class RecallPendingError(PendingError):
    """Whether it is a repeat stands on disk, and is being read: nothing has happened; the call is to be made again."""

    code = "recall-pending"

    def __init__(self, recall: Recall) -> None:
        super().__init__("the broker has to read what it remembers of this queue's publishers", recall.wait)
