"""What one queue remembers of its publishers: ids within a window, and the last number of each producer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from segue.broker.deduplication.companion import CompanionLog
from segue.broker.deduplication.id_window import IdWindow
from segue.broker.deduplication.producers import Producers
from segue.broker.queue_options import QueueOptions

if TYPE_CHECKING:
    from segue.broker.deduplication.memory import DeduplicationMemory
    from segue.broker.node import Node
    from segue.storage.api import Log

__all__ = ["IDS", "IDS_MAX", "PRODUCERS", "WINDOW_MS", "QueueDeduplication"]

WINDOW_MS: Final = 600_000
IDS_MAX: Final = 100_000
"""SQS remembers ids for 5 minutes, Artemis 20,000 an address, Azure Service Bus for 10 minutes by default."""
_MEMORY_IDS_MAX: Final = 10_000
"""In a temporary queue, where all of them stay in memory: 2 MB."""
IDS: Final = "ids"
PRODUCERS: Final = "producers"
"""What a companion log holds, as its definition says."""


class QueueDeduplication:
    """See the module.

    Attributes:
        ids: None as long as no message had one.
        producers: likewise.
    """

    __slots__ = ("_companions", "_memory", "_node", "_options", "_queue", "ids", "producers")

    def __init__(
        self, node: Node, memory: DeduplicationMemory, queue: Log, companions: dict[str, CompanionLog]
    ) -> None:
        """`companions`: those that are there from before the start, by what they hold."""
        self.ids: IdWindow | None = None
        self.producers: Producers | None = None
        self._node = node
        self._memory = memory
        self._queue = queue
        self._options: QueueOptions | None = None
        self._companions = companions
        if IDS in companions:
            self._open_ids(companions[IDS], read_back=True)
        if PRODUCERS in companions:
            self.producers = Producers(node, companions[PRODUCERS], read_back=True)

    def apply(self, options: QueueOptions) -> None:
        """Remember from now on as these options say. What was forgotten stays so."""
        self._options = options
        if self.ids is not None:
            self._set_window(self.ids)

    def window(self) -> IdWindow:
        """The ids."""
        if self.ids is None:
            return self._open_ids(self._companion(IDS), read_back=False)
        return self.ids

    def numbers(self) -> Producers:
        """The numbers of producers."""
        if self.producers is None:
            self.producers = Producers(self._node, self._companion(PRODUCERS), read_back=False)
        return self.producers

    def forget(self) -> bool:
        """See `IdWindow.forget`."""
        if self.producers is not None:
            self.producers.retry()
        return self.ids is not None and self.ids.forget()

    def read_back(self) -> bool:
        """Take up what the last process has written; False when that is done."""
        parts = [part for part in (self.ids, self.producers) if part is not None and not part.is_read]
        for part in parts:
            part.read_back()
        return bool(parts)

    def drop(self) -> None:
        """The queue is deleted."""
        if self.ids is not None:
            self._memory.bytes -= self.ids.memory_bytes
            self.ids.memory_bytes = 0
        for companion in self._companions.values():
            self._node.store.drop_log(companion.log)
        self._companions.clear()
        self.ids = self.producers = None

    def _open_ids(self, companion: CompanionLog | None, *, read_back: bool) -> IdWindow:
        window = self.ids = IdWindow(self._node, self._memory, companion, read_back=read_back)
        self._set_window(window)
        return window

    def _set_window(self, window: IdWindow) -> None:
        options = self._options
        window_ms = options.deduplication_window_ms if options is not None else None
        ids_max = options.deduplication_ids_max if options is not None else None
        window.window_ms = WINDOW_MS if window_ms is None else window_ms
        window.ids_max = IDS_MAX if ids_max is None else ids_max
        if not self._queue.journaled:
            window.ids_max = min(window.ids_max, _MEMORY_IDS_MAX)

    def _companion(self, what: str) -> CompanionLog | None:
        """A new one; None for a queue in memory."""
        if not self._queue.journaled:
            return None
        companion = self._companions[what] = self._memory.create_companion(self._queue, what)
        return companion
