"""A slot: messages that are accepted in the same moment, for the same time and the same targets.

A publisher sends thousands of these one behind the other. All that their frames have in common is made once; each of
them costs what a message costs that is published at once, and the checksum over its frame.
"""

from __future__ import annotations

from collections.abc import Sequence

from segue.broker.message import encode
from segue.broker.schedule.bucket import Bucket
from segue.broker.schedule.census import Census
from segue.broker.schedule.scheduled_message import ScheduledMessage, ScheduleId, pack_seq, split_frame

__all__ = ["Slot"]


class Slot:
    """See the module. Good for the step in which it was asked for: its bucket may be deleted in the next one.

    Attributes:
        names: what the names of these messages begin with, see `ScheduleId`; their numbers follow.
    """

    __slots__ = ("_bucket", "_counts", "_crc", "_due_ms", "_end", "_log", "_start", "_targets", "names")

    def __init__(self, bucket: Bucket, census: Census, message: ScheduledMessage) -> None:
        """`message`: what they have in common; its identity is that of the first, and it has no record."""
        self._bucket = bucket
        self._log = bucket.log
        self._counts = census.counts
        self._targets = message.targets.split("\n")
        self._due_ms = message.identity.due_ms
        self._start, self._crc, self._end = split_frame(message)
        self.names = f"{self._due_ms}-{self._log.id}-".encode()

    @property
    def open(self) -> bool:
        """False once its bucket is deleted."""
        return self._bucket.open

    def accept(self, record: bytes) -> int:
        """Take a message; returns its number. Durable with the open batch."""
        log, counts = self._log, self._counts
        seq = log.head
        log.append(encode(self._start, self._crc, b"".join((pack_seq(seq), self._end, record))))
        for target in self._targets:
            counts[target] = counts.get(target, 0) + 1
        return seq

    def accept_all(self, records: Sequence[bytes]) -> int:
        """As `accept`, of one or several; returns the number of the first, which those of the others follow."""
        log, counts, start, crc, end = self._log, self._counts, self._start, self._crc, self._end
        first = log.head
        numbered = enumerate(records, first)
        log.append_all([encode(start, crc, b"".join((pack_seq(seq), end, record))) for seq, record in numbered])
        for target in self._targets:
            counts[target] = counts.get(target, 0) + len(records)
        return first

    @property
    def next_seq(self) -> int:
        """The number that the next message will have."""
        return self._log.head

    def identity(self, seq: int) -> ScheduleId:
        """What a message is called that was accepted here."""
        return ScheduleId(self._due_ms, self._log.id, seq)
