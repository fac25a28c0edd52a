"""The bound of one queue: how many messages, and how many bytes, may wait in it, and how far it is over that.

What is with consumers does not count, and neither do condemned messages: they are on their way out, and two full queues
may be waiting for each other to take theirs.
"""

from __future__ import annotations

from segue.broker.level_bytes import LevelBytes
from segue.broker.levels import Levels
from segue.broker.waiting_bytes import WaitingBytes
from segue.storage.api import Cursor

__all__ = ["Bound"]


class Bound:
    """See the module. A queue without a bound has none of these."""

    __slots__ = ("_bytes_max", "_cursor", "_messages_max", "_waiting")

    def __init__(self, cursor: Cursor | Levels, messages_max: int | None, bytes_max: int | None) -> None:
        """`messages_max`, `bytes_max`: None for no such limit."""
        self._cursor = cursor
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._waiting: WaitingBytes | LevelBytes | None = None
        if bytes_max is not None:
            self._waiting = WaitingBytes(cursor.log, cursor) if isinstance(cursor, Cursor) else LevelBytes(cursor)

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """Most messages, and most bytes of them, that may wait."""
        return self._messages_max, self._bytes_max

    @property
    def bytes(self) -> int | None:
        """What waits, as it is counted for the bound in bytes; None where there is none."""
        return None if self._waiting is None else self._waiting.total()

    def excess(self) -> int:
        """How many of the oldest messages that are on disk are too many."""
        excess = 0 if self._messages_max is None else self._cursor.ready - self._messages_max
        if self._waiting is not None and self._bytes_max is not None:
            over = self._waiting.total() - self._bytes_max
            if over > 0:
                excess = max(excess, min(self._cursor.ready, self._waiting.oldest(over)))
        return max(0, excess)

    def refusal(self, messages: int, size: int) -> str:
        """Why so many messages of so many bytes can't be accepted now; empty when they can."""
        if self._messages_max is not None and self._cursor.waiting + messages > self._messages_max:
            return f"it may have {self._messages_max} messages"
        if self._waiting is not None and self._bytes_max is not None:
            together = self._waiting.total() + self._waiting.open_bytes + size
            if together > self._bytes_max:
                return f"it may have {self._bytes_max} bytes of messages"
        return ""

    def accepted(self, size: int) -> None:
        """A message that was not refused is in the open batch."""
        if self._waiting is not None:
            self._waiting.open_bytes += size

    def close(self) -> None:
        """It holds no more."""
        if self._waiting is not None:
            self._waiting.close()
