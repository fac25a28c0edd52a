"""The log beside a queue's own in which stands what the queue remembers: written with the messages, read at the start.

Durability: what belongs to the messages of a batch is appended when that batch is sealed, whoever seals it, and so is
in the same batch: after a crash both are there, or neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

import trio

from segue.broker.deduplication.entries import body_of, record_of
from segue.storage.api import Cursor, Log, Store, times

__all__ = ["CompanionLog", "Remembered"]

_READ_BYTES: Final = 1 << 20

Remembered = tuple[int, int, bytes]
"""A record of the companion log: its number, when it was written (milliseconds since 1970), its entries."""


class CompanionLog:
    """See the module.

    Attributes:
        log: where it stands; its definition names the log of the queue.
    """

    __slots__ = ("_cursor", "_now_ms", "log")

    def __init__(self, log: Log, cursor: Cursor, now_ms: Callable[[], int]) -> None:
        self.log = log
        self._cursor = cursor
        self._now_ms = now_ms

    @property
    def store(self) -> Store:
        """What it is part of."""
        return self.log.store

    @property
    def first(self) -> int:
        """The number of the oldest record that is kept."""
        return self._cursor.next

    def call_when_sealed(self, complete: Callable[[], None]) -> None:
        """Call back when the open batch is about to be sealed: what is appended then is in it."""
        self.store.sealing.append(complete)

    def append(self, body: bytes) -> tuple[int, int]:
        """Write entries down, with the open batch; returns the record's number and its time."""
        time_ms = self._now_ms()
        return self.log.append(record_of(time_ms, body)), time_ms

    def forget_below(self, number: int) -> None:
        """Records below this one are needed no more."""
        if number > self._cursor.next:
            self._cursor.skip_to(number)

    async def read(self, first: int, end: int) -> AsyncIterator[Remembered]:
        """Records from `first` on and below `end`, which were sealed; damaged ones are left out, and reported.

        Cancellation: here alone. Who awaits something between two records, and is cancelled there, leaves this open.

        Raises:
            READ_ERRORS: the disk does not give them now.
        """
        log = self.log
        while first < end:
            record = log.find(first)
            if record is not None:
                yield first, times(record)[0], body_of(record)
                first += 1
                await trio.lowlevel.checkpoint()
            elif first >= log.ram_first:
                first += 1  # it was forgotten meanwhile
            else:
                runs, damage, first = await self.store.reader.read_range(log, first, end, _READ_BYTES)
                if log.id not in self.store.logs:
                    return  # the queue was deleted meanwhile
                for lost_first, lost_last, reason in damage:
                    self.store.on_fault(log, f"ids of publishers ({lost_first} to {lost_last}) are lost: {reason}")
                for start, records in runs:
                    for number, found in enumerate(records, start):
                        yield number, times(found)[0], body_of(found)
                        await trio.lowlevel.checkpoint()
