"""What a publisher learns of a message that may be a repeat: where it stands, or that he has to wait a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from segue.broker.pending import PendingError

if TYPE_CHECKING:
    from segue.broker.deduplication.recall import Recall

__all__ = ["Acceptance", "RecallPendingError"]


class Acceptance(NamedTuple):
    """The answer to a message.

    Attributes:
        seq: its sequence number in the queue; of a repeat: that of the first one, 0 where it is not known any more.
        repeat: it was accepted before, and nothing was added.
        last: the producer's last number that was accepted, 0 before the first; None where the message had none.
    """

    seq: int
    repeat: bool
    last: int | None = None


class RecallPendingError(PendingError):
    """Whether it is a repeat stands on disk, and is being read: nothing has happened; the call is to be made again."""

    code = "recall-pending"

    def __init__(self, recall: Recall) -> None:
        super().__init__("the broker has to read what it remembers of this queue's publishers", recall.wait)
