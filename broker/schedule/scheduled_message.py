"""A message that waits for its time: how it stands in a log, and what it is called.

The message's own record is not changed: it is the body of another record, whose headers say when it is due and where it
goes. So it moves from log to log, and in the end to its queue, as the bytes that it came in. Layout of these headers,
little-endian (docs/formats/record.md):

    offset size
         0    8  due, milliseconds
         8   24  identity: when it was first due, and the log and the number that it had first
        32    4  deliveries so far, of a message that came back from a consumer
        36    4  size of the targets in bytes
        40    …  targets: `q` and the name of a queue, or `t` and that of a topic, each ended by LF but for the last one
         …    …  how it is repeated, JSON; empty for a message that is not
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from segue.broker.message import HEADERS_AT, PERSISTENT, Encoding, encode, prefix
from segue.storage.api import times

__all__ = [
    "PLACE",
    "ScheduleId",
    "ScheduledMessage",
    "by_fate",
    "decode_scheduled",
    "due_of",
    "encode_scheduled",
    "identity_of",
    "pack_seq",
    "split_frame",
    "targets_of",
]

pack_seq: Final = struct.Struct("<Q").pack
PLACE: Final = struct.Struct("<QQQQ")
"""What headers begin with: when it is due, and its identity. Of all that wait, they are in the order of these."""
PLAIN: Final = 2
"""A flag of the frame: its message has no deadline, and belongs to no group. Older frames of such don't have it."""

_FIXED: Final = struct.Struct("<QQQQII")
_DUE: Final = struct.Struct("<Q")
_SEQ_AT: Final = 24
_SEQ_END: Final = 32
_IDENTITY_AT: Final = HEADERS_AT + 8
_IDENTITY: Final = struct.Struct("<QQQ")
_FLAGS_AT: Final = 25
_FATE_AT: Final = HEADERS_AT + _SEQ_END


class ScheduleId(NamedTuple):
    """What a scheduled message is called; never used again. Messages that are due at the same time are in its order.

    Attributes:
        due_ms: when it is to be delivered: tells where it may be now. 0 for one that is repeated.
        log, seq: where it was first.
    """

    due_ms: int
    log: int
    seq: int

    def __str__(self) -> str:
        return f"{self.due_ms}-{self.log}-{self.seq}"

    @classmethod
    def from_text(cls, text: str) -> ScheduleId | None:
        """What `str` made; None for anything else."""
        parts = text.split("-")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
            return None
        return cls(*map(int, parts))


class ScheduledMessage(NamedTuple):
    """One message and its fate.

    Attributes:
        due_ms: when it is to be delivered, by the clock of its wheel.
        identity: see `ScheduleId`.
        targets: see the module.
        record: what is to be delivered.
        accepted_ms: when the broker took it.
        deliveries: how often it was delivered before it was put off.
        repeat: how it is repeated; empty for once.
        is_plain: it is known to have no deadline, and to belong to no group.
    """

    due_ms: int
    identity: ScheduleId
    targets: str
    record: bytes
    accepted_ms: int
    deliveries: int = 0
    repeat: str = ""
    is_plain: bool = False


def encode_scheduled(message: ScheduledMessage) -> bytes:
    """The record that holds a scheduled message."""
    start, crc, end = split_frame(message)
    return encode(start, crc, b"".join((pack_seq(message.identity.seq), end, message.record)))


def split_frame(message: ScheduledMessage) -> tuple[bytes, int, bytes]:
    """What `encode_scheduled` writes before the number in the identity, the checksum so far, and what is behind it.

    Without the record: messages that differ only in these two have all this in common.
    """
    targets = message.targets.encode()
    fixed = _FIXED.pack(message.due_ms, *message.identity, message.deliveries, len(targets))
    before, end = fixed[:_SEQ_AT], b"".join((fixed[_SEQ_END:], targets, message.repeat.encode()))
    flags = PERSISTENT | PLAIN if message.is_plain else PERSISTENT
    more = _SEQ_END - _SEQ_AT + len(end)
    return *prefix(message.accepted_ms, before, flags, 0, Encoding.SCHEDULED, headers_more=more), end


def decode_scheduled(frame: bytes) -> ScheduledMessage:
    """What `encode_scheduled` was given."""
    due_ms, first_due_ms, log, seq, deliveries, targets_bytes = _FIXED.unpack_from(frame, HEADERS_AT)
    end = HEADERS_AT + int.from_bytes(frame[HEADERS_AT - 4 : HEADERS_AT], "little")
    targets_at = HEADERS_AT + _FIXED.size
    repeat_at = targets_at + targets_bytes
    return ScheduledMessage(
        due_ms,
        ScheduleId(first_due_ms, log, seq),
        frame[targets_at:repeat_at].decode(),
        frame[end:],
        times(frame)[0],
        deliveries,
        frame[repeat_at:end].decode(),
        bool(frame[_FLAGS_AT] & PLAIN),
    )


def due_of(frame: bytes) -> int:
    """When it is due, without the rest of it."""
    due_ms: int = _DUE.unpack_from(frame, HEADERS_AT)[0]
    return due_ms


def identity_of(frame: bytes) -> ScheduleId:
    """What it is called, without the rest of it."""
    return ScheduleId(*_IDENTITY.unpack_from(frame, _IDENTITY_AT))


def by_fate(frames: list[bytes]) -> Iterator[list[bytes]]:
    """Put together what has the same fate: messages that are all alike but for time, name and record.

    Those with a target in common stay in their order, whatever else becomes of them.
    """
    found: dict[bytes, list[bytes]] = {}
    targets: set[str] = set()
    alike: list[bytes] = []
    common = fate = b""
    for frame in frames:
        if frame[_FLAGS_AT:HEADERS_AT] != common or not frame.startswith(fate, _FATE_AT):
            common = frame[_FLAGS_AT:HEADERS_AT]
            fate = frame[_FATE_AT : HEADERS_AT + int.from_bytes(common[-4:], "little")]
            known = found.get(common + fate)
            if known is None:
                its_targets = targets_of(frame).split("\n")
                if not targets.isdisjoint(its_targets):
                    yield from found.values()
                    found, targets = {}, set()
                targets.update(its_targets)
                known = found[common + fate] = []
            alike = known
        alike.append(frame)
    yield from found.values()


def targets_of(frame: bytes) -> str:
    """Where it goes, without the rest of it."""
    start = HEADERS_AT + _FIXED.size
    return frame[start : start + int.from_bytes(frame[start - 4 : start], "little")].decode()
