"""Receiving: what all connections hold of frames that are not whole yet, and who may go on when that is much.

One frame may be as large as `limits.body_bytes_max`, and there may be thousands of connections: so there is a bound for
all of them together, `memory.receiving_bytes_max`. Kafka has one too (`queued.max.request.bytes`: when the pool is
empty, connections are no longer read), but sets a request's whole size aside when it is announced, so that some peers
who announce much and send nothing keep everybody out. Here, what has come is counted, and the frames that are under way
take turns.

Theory of operation. Whoever holds more than `SMALL_BYTES` of one frame stands in `_line`, in the order in which these
frames began. Below the bound, all are read. Above it, only the first in the line is read, until its frame is whole;
then the next one is first. So one frame after the other gets done however many are under way, and nothing is refused
for want of memory. Small frames go on all the while, in small reads; the first in the line has full ones, as the others
wait for it. A first one that is not whole within
`limits.frame_seconds` is refused, for others wait for it.

Invariant: `bytes` is the sum of what was counted last for each receiver.
"""

from __future__ import annotations

from typing import Final, Protocol

__all__ = ["SMALL_BYTES", "Receiver", "Receiving"]

SMALL_BYTES: Final = 8 << 10
"""Of one frame. With 10,000 connections, 80 MiB that no line keeps out; most messages are smaller."""
_CROWDED_READ_BYTES: Final = 8 << 10
"""One read above the bound, but for the first in the line: 256 KiB for each of 10,000 connections would be no bound."""


class Receiver(Protocol):
    """A connection that receives frames."""

    def read_on(self) -> None:
        """It is its turn, or there is room again."""

    def frame_late(self) -> None:
        """Its frame is not done in time while others wait: refuse it."""


class Receiving:
    """See the module.

    Attributes:
        bytes: of all frames that are not whole.
        crowded: more is held than may be.
    """

    __slots__ = ("_bytes_max", "_line", "_seconds", "_turn", "_turn_since", "_waiting", "bytes", "crowded")

    def __init__(self, bytes_max: int, frame_seconds: float) -> None:
        self._bytes_max = bytes_max
        self._seconds = frame_seconds
        self._line: dict[Receiver, None] = {}
        self._waiting: dict[Receiver, None] = {}
        self._turn: Receiver | None = None
        self._turn_since = 0.0
        self.bytes = 0
        self.crowded = False

    @property
    def waiting(self) -> int:
        """How many connections are not read for the sake of others' frames."""
        return len(self._waiting)

    def count(self, receiver: Receiver, before: int, now: int, *, completed: bool) -> None:
        """A read has changed what a receiver holds of a frame.

        Args:
            receiver: who.
            before: bytes that were counted for it last.
            now: bytes that it holds.
            completed: another frame was done by the same read; so this one is new, and stands at the end of the line.
        """
        self.bytes += now - before
        line = self._line
        if completed or now <= SMALL_BYTES:
            line.pop(receiver, None)
        if now > SMALL_BYTES:
            line.setdefault(receiver)
        else:
            self._waiting.pop(receiver, None)
        self.crowded = self.bytes > self._bytes_max
        if self._waiting:
            self._wake()

    def step_aside(self, receiver: Receiver) -> None:
        """What a receiver holds can't be read on for a reason of ours: it leaves the line until it is counted again."""
        self._line.pop(receiver, None)
        self._waiting.pop(receiver, None)
        if self._waiting:
            self._wake()

    def may_read(self, receiver: Receiver) -> bool:
        """False while others have to get done first; `read_on` is called when that is over."""
        if not self.crowded or receiver not in self._line or self._is_first(receiver):
            return True
        self._waiting[receiver] = None
        return False

    def read_bytes_max(self, receiver: Receiver) -> int:
        """How much its next read may bring; 0 for no bound but the buffer's size."""
        return _CROWDED_READ_BYTES if self.crowded and not self._is_first(receiver) else 0

    def check(self, now: float, *, held: bool) -> None:
        """Refuse a frame that others have waited for too long. To be called every second or so.

        Args:
            now: monotonic seconds.
            held: publishers wait, so that the one whose turn it is may not be read for reasons of ours.
        """
        first = next(iter(self._line), None) if self._waiting else None
        if first is not self._turn or held:
            self._turn, self._turn_since = first, now
        elif first is not None and now - self._turn_since >= self._seconds:
            self._turn = None
            first.frame_late()

    def _is_first(self, receiver: Receiver) -> bool:
        return next(iter(self._line), None) is receiver

    def _wake(self) -> None:
        """Those who may be read again are told; each of them may ask to wait again at once."""
        if not self.crowded:
            waiting, self._waiting = self._waiting, {}
            for receiver in waiting:
                receiver.read_on()
        elif (first := next(iter(self._line))) in self._waiting:
            del self._waiting[first]
            first.read_on()
