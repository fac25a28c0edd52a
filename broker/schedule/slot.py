"""A slot: messages that are accepted in the same moment, for the same time and the same targets.

A publisher sends thousands of these one behind the other. All that their frames have in common is made once; each of
them costs what a message costs that is published at once, and the checksum over its frame.
"""

from __future__ import annotations

import struct
from typing import Final

from segue.broker.message import encode
from segue.broker.schedule.bucket import Bucket
from segue.broker.schedule.census import Census
from segue.broker.schedule.scheduled_message import ScheduledMessage, ScheduleId, split_frame

__all__ = ["Slot"]

_pack_seq: Final = struct.Struct("<Q").pack


class Slot:
    """See the module. Good for the millisecond in which it was made, while its bucket is open.

    Attributes:
        bucket: where these messages wait.
    """

    __slots__ = ("_census", "_crc", "_due_ms", "_end", "_log", "_name", "_start", "_targets", "bucket")

    def __init__(self, bucket: Bucket, census: Census, message: ScheduledMessage) -> None:
        """`message`: what they have in common; its identity is that of the first, and it has no record."""
        self.bucket = bucket
        self._log = bucket.log
        self._census = census
        self._targets = message.targets
        self._due_ms = message.identity.due_ms
        self._name = f"{self._due_ms}-{self._log.id}-".encode()
        self._start, self._crc, self._end = split_frame(message)

    def accept(self, record: bytes) -> int:
        """Take a message; returns its number. Durable with the open batch."""
        log = self._log
        seq = log.head
        log.append(encode(self._start, self._crc, b"".join((_pack_seq(seq), self._end, record))))
        self._census.add(self._targets)
        return seq

    def identity(self, seq: int) -> ScheduleId:
        """What a message is called that was accepted here."""
        return ScheduleId(self._due_ms, self._log.id, seq)

    def name(self, seq: int) -> bytes:
        """Its identity as text: without making one, as every publisher who wants a receipt is told the name."""
        return b"%b%d" % (self._name, seq)
