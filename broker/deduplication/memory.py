"""What all queues remember of their publishers: taken up at the start, forgotten in time, bounded in memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from segue.broker.deduplication.companion import CompanionLog
from segue.broker.deduplication.queue import QueueDeduplication
from segue.broker.errors import LimitReachedError
from segue.broker.queue_options import QueueOptions

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.storage.api import Log

__all__ = ["COMPANION_KIND", "DeduplicationMemory"]

COMPANION_KIND: Final = "deduplication"
"""In the definition of a companion log, beside `queue`: the number of the queue's log, and `what` it holds."""
_READ_AT_ONCE: Final = 16
"""Queues that are read back in one second, that nobody waits for: consumers' reads go on beside them."""


class DeduplicationMemory:
    """See the module.

    Attributes:
        bytes: what is in memory, of all queues, roughly.
        bytes_refused: with more than that, `check_room` refuses.
    """

    def __init__(self, node: Node, bytes_max: int) -> None:
        self.bytes = 0
        self._node = node
        self._bytes_max = bytes_max
        self.bytes_refused = 2 * bytes_max
        self._queues: dict[int, QueueDeduplication] = {}
        self._found: dict[int, dict[str, CompanionLog]] = {}
        self._unread: deque[QueueDeduplication] = deque()

    @property
    def is_short(self) -> bool:
        """True when ids that stand on disk should not be held one by one."""
        return self.bytes > self._bytes_max

    def check_room(self) -> None:
        """Raises LimitReachedError when even filters take more than there is."""
        if self.bytes > self.bytes_refused:
            raise LimitReachedError(
                "too many deduplication ids are remembered in all queues: see memory.deduplication_bytes_max"
            )

    def found(self, log: Log) -> None:
        """A companion log from before the start."""
        definition = log.definition
        if log.cursors and definition.get("durable") is not False:  # or it goes as its queue does
            companion = CompanionLog(log, log.cursors[0], self._node.clock.now_ms)
            self._found.setdefault(int(definition["queue"]), {})[str(definition["what"])] = companion

    def of_queue(self, queue: Log, options: QueueOptions) -> QueueDeduplication | None:
        """What a queue remembers from before the start; None when that is nothing."""
        companions = self._found.pop(queue.id, None)
        if companions is None:
            return None
        remembered = self._queues[queue.id] = QueueDeduplication(self._node, self, queue, companions)
        remembered.apply(options)
        self._unread.append(remembered)
        return remembered

    def drop_orphans(self) -> None:
        """Companion logs whose queue is gone, at the end of a start."""
        for companions in self._found.values():
            for companion in companions.values():
                self._node.store.drop_log(companion.log)
        self._found.clear()

    def open(self, queue: Log, options: QueueOptions) -> QueueDeduplication:
        """A queue gets its first id or producer."""
        remembered = self._queues[queue.id] = QueueDeduplication(self._node, self, queue, {})
        remembered.apply(options)
        return remembered

    def drop(self, queue: Log) -> None:
        """A queue is deleted."""
        remembered = self._queues.pop(queue.id, None)
        if remembered is not None:
            remembered.drop()

    def create_companion(self, queue: Log, what: str) -> CompanionLog:
        """Durable with the open batch, as the messages that it is made for."""
        store = self._node.store
        definition: dict[str, Any] = {"kind": COMPANION_KIND, "queue": queue.id, "what": what}
        if queue.definition.get("durable") is False:
            definition["durable"] = False
        log = store.create_log(definition)
        return CompanionLog(log, store.create_cursor(log, {"kind": COMPANION_KIND}), self._node.clock.now_ms)

    def forget(self) -> None:
        """Let go of what has left its window. To be called every second or so.

        What was there at the start, and nobody has asked for yet, is read back one queue after the other.
        """
        for remembered in self._queues.values():
            remembered.forget()
        for _ in range(min(len(self._unread), _READ_AT_ONCE)):
            remembered = self._unread.popleft()
            if remembered.read_back():
                self._unread.append(remembered)
