"""What is in memory of the messages that wait, because their time is near: by the millisecond in which they are due.

A heap of the messages themselves costs a comparison of names for each step that one of them takes in it, and most of
those that are due together come in their order anyway. So the heap has milliseconds, and each of them a line of its own
that is put in order only if something came into it out of order.
"""

from __future__ import annotations

import heapq
from operator import itemgetter
from typing import Any, Final, TypeAlias

from segue.broker.message import HEADERS_AT
from segue.broker.schedule.bucket import Bucket
from segue.broker.schedule.scheduled_message import PLACE

__all__ = ["Entry", "Imminent"]

Entry: TypeAlias = tuple[tuple[int, int, int, int], int, Bucket, bytes]
"""When it is due and what it is called, which is its place in the order; its number, where it is read from, its frame.
A plain tuple: there is one for each message, and a named one takes four times as long to make."""
_place: Final = itemgetter(0)


class Imminent:
    """See the module.

    Attributes:
        messages: how many there are.
        bytes: of their frames.
    """

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self._lines: dict[int, list[Entry]] = {}
        self._due: list[int] = []  # a heap of the keys of `_lines`
        self._disordered: set[int] = set()

    @property
    def next_ms(self) -> int | None:
        """When the first one is due; None for none."""
        return self._due[0] if self._due else None

    def add(self, bucket: Bucket, messages: list[tuple[int, bytes]]) -> None:
        """Take messages that were read from a bucket: numbers and frames."""
        lines, place_in, size = self._lines, PLACE.unpack_from, 0
        for seq, frame in messages:
            place: Any = place_in(frame, HEADERS_AT)
            due_ms = place[0]
            line = lines.get(due_ms)
            if line is None:
                lines[due_ms] = [(place, seq, bucket, frame)]
                heapq.heappush(self._due, due_ms)
            else:
                if place < line[-1][0]:
                    self._disordered.add(due_ms)
                line.append((place, seq, bucket, frame))
            size += len(frame)
        self.messages += len(messages)
        self.bytes += size

    def take(self, now_ms: int, messages_max: int, bytes_max: int) -> list[Entry]:
        """Take what is due, in order: at most so many, and about so many bytes of them."""
        taken: list[Entry] = []
        size = 0
        while self._due and self._due[0] <= now_ms and len(taken) < messages_max and size < bytes_max:
            line = self._first_line()
            part = _within(line[: messages_max - len(taken)], bytes_max - size)
            size += sum(len(entry[3]) for entry in part)
            taken += part
            if len(part) == len(line):
                del self._lines[heapq.heappop(self._due)]
            else:
                del line[: len(part)]
        self.messages -= len(taken)
        self.bytes -= size
        return taken

    def take_all(self) -> list[Entry]:
        """Take everything, in no order."""
        taken = [entry for line in self._lines.values() for entry in line]
        self.messages = self.bytes = 0
        self._lines.clear()
        self._due.clear()
        self._disordered.clear()
        return taken

    def _first_line(self) -> list[Entry]:
        due_ms = self._due[0]
        line = self._lines[due_ms]
        if due_ms in self._disordered:
            self._disordered.remove(due_ms)
            line.sort(key=_place)
        return line


def _within(entries: list[Entry], bytes_max: int) -> list[Entry]:
    """The first of these, up to the one that reaches a size."""
    size = 0
    for count, entry in enumerate(entries, 1):
        size += len(entry[3])
        if size >= bytes_max:
            return entries[:count]
    return entries
