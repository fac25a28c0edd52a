"""Reading back what stands on disk, beside the event loop, and who waits for it meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from segue.storage.api import READ_ERRORS, Log

if TYPE_CHECKING:
    from segue.broker.node import Node, Output

__all__ = ["Recall"]

_RETRY_CALLS: Final = 5
"""As the reader does it for consumers: every five seconds."""


class Recall:
    """One read at a time.

    Attributes:
        under_way: it is being read, or could not be read and will be tried again.
    """

    __slots__ = ("_log", "_node", "_pause", "_read", "_waiting", "under_way")

    def __init__(self, node: Node, log: Log, read: Callable[[], Awaitable[None]]) -> None:
        """`read`: raises `READ_ERRORS` when the disk does not give it now; it is called again then."""
        self._node = node
        self._log = log
        self._read = read
        self._waiting: dict[Output, None] = {}
        self._pause = 0
        self.under_way = False

    @property
    def awaited(self) -> bool:
        """True when somebody waits."""
        return bool(self._waiting)

    def begin(self) -> None:
        """Read, if that is not under way."""
        if not self.under_way:
            self.under_way = True
            self._node.store.reader.run(self._run)

    def retry(self) -> None:
        """Read again what could not be read, in the end. To be called every second or so."""
        if self._pause:
            self._pause -= 1
            if not self._pause:
                self._node.store.reader.run(self._run)

    def wait(self, output: Output) -> None:
        """Tell this connection when it has come."""
        if self.under_way:
            self._waiting[output] = None
        else:
            self._node.wait_for_room(output)

    async def _run(self) -> None:
        try:
            await self._read()
        except READ_ERRORS as error:
            self._pause = _RETRY_CALLS
            self._node.store.on_fault(self._log, f"what is remembered of publishers can't be read: {error}")
            return
        self.under_way = False
        waiting, self._waiting = self._waiting, {}
        for output in waiting:
            self._node.wait_for_room(output)
        self._node.end_step()
