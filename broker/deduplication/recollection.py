"""What of one queue's publishers is kept in a companion log, and has to be read back from there after a start.

The base of what is remembered of ids and of producers: nothing is answered before it is read, and who asks meanwhile is
told when to ask again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from segue.broker.deduplication.acceptance import RecallPendingError
from segue.broker.deduplication.companion import CompanionLog
from segue.broker.deduplication.recall import Recall

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["Recollection"]


class Recollection(ABC):
    """See the module.

    Attributes:
        is_read: everything from before the start is known again.
    """

    def __init__(self, node: Node, companion: CompanionLog | None, *, read_back: bool) -> None:
        """`companion`: None for a queue in memory; `read_back`: there is something in it from before the start."""
        self.is_read = not read_back
        self._companion = companion
        self._recall = Recall(node, companion.log, self._recollect) if companion is not None else None

    def read_back(self) -> None:
        """Take up what the last process has written, beside the event loop; done when `is_read`."""
        if not self.is_read and self._recall is not None:
            self._recall.begin()

    def retry(self) -> None:
        """See `Recall.retry`."""
        if self._recall is not None:
            self._recall.retry()

    def _pending(self) -> RecallPendingError:
        """What to raise for the want of something on disk, which is being read from now on."""
        assert self._recall is not None
        self._recall.begin()
        return RecallPendingError(self._recall)

    @abstractmethod
    async def _recollect(self) -> None:
        """Read what is wanted, see `Recall`. Nothing is accepted meanwhile that would need it."""
