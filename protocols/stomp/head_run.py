"""Runs of SEND frames whose heads repeat and whose bodies have one length, as a producer sends them most of the time.

They have one head, or a few that take turns and differ in one line: messages of ten priorities, or for ten queues. What
such frames have in common is one pattern, with gaps for that line, the receipt and the body. It matches a frame in half
the time that it takes to look up its head.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from segue.protocols.stomp.escaping import CLEAN
from segue.protocols.stomp.events import SEND, Event, SendEvent
from segue.protocols.stomp.frame_pattern import whole_frames
from segue.protocols.stomp.frames import SendHead
from segue.protocols.stomp.varying_head import VaryingHead

__all__ = ["HeadRun", "Repetition", "repetition_in", "run_of"]

# SENDs in one read whose heads repeat, after which it pays to make a pattern for a run of them: that takes as long as
# to parse 400 by looking up their heads, and is done at most once a read.
_REPEATS_MIN: Final = 64
_HEADS_MAX: Final = 16
_RECEIPT: Final = b"(?:receipt:(" + CLEAN + b")\n)?"


class Repetition(NamedTuple):
    """What the last frames of a read had in common.

    Attributes:
        heads: theirs, each once.
        length: of all their bodies; -1 if they differ.
    """

    heads: list[SendHead]
    length: int

    def has(self, head: SendHead | None) -> bool:
        """True for one of these."""
        return any(known is head for known in self.heads)


def repetition_in(events: list[Event]) -> Repetition | None:
    """What the last events of a read have in common; None if that is too little for a run."""
    if len(events) < _REPEATS_MIN:
        return None
    heads: dict[int, SendHead] = {}
    lengths: set[int] = set()
    for event in islice(reversed(events), _REPEATS_MIN):
        if event[0] != SEND or isinstance(event[1], VaryingHead) or len(heads) > _HEADS_MAX:
            return None
        heads[id(event[1])] = event[1]
        lengths.add(len(event[3]))
    return Repetition(list(heads.values()), lengths.pop() if len(lengths) == 1 else -1)


class HeadRun:
    """See the module.

    Invariant: the full reader has accepted the heads, with or without a `receipt` line whose value is CLEAN. So what
    the pattern matches, it would accept, with the same result.

    Attributes:
        heads: of these frames.
    """

    __slots__ = ("_by_value", "_frames", "_receipt_at", "_value_at", "heads")

    def __init__(self, keys: Mapping[bytes, SendHead], turn: int, receipt_at: int, length: int) -> None:
        """Make the pattern.

        Args:
            keys: heads by their octets without a `receipt` line.
            turn: the line whose value is all that differs; -1 if there is one head.
            receipt_at: before which line a `receipt` may stand.
            length: of the bodies, as it stands in the heads; -1 where a NUL ends them.
        """
        self.heads: Final = list(keys.values())
        lines = [re.escape(line) for line in next(iter(keys)).split(b"\n")]
        by_value: dict[bytes, SendHead] = {}
        if turn >= 0:
            by_value = {key.split(b"\n")[turn].partition(b":")[2]: head for key, head in keys.items()}
            lines[turn] = lines[turn].partition(b":")[0] + b":(" + b"|".join(map(re.escape, by_value)) + b")"
        self._by_value: Final = by_value
        # Which groups are the value that takes turns and the receipt; the body is the last.
        self._value_at, self._receipt_at = (0, 1) if turn < receipt_at else (1, 0)
        before, after = (b"".join([line + b"\n" for line in some]) for some in (lines[:receipt_at], lines[receipt_at:]))
        self._frames: Final = whole_frames(before + _RECEIPT + after, length)

    def read(self, data: bytes, pos: int, append: Callable[[SendEvent], None]) -> int:
        """Take the frames that match, one behind the other; returns where the first one begins that does not."""
        if self._by_value:
            return self._read_turns(data, pos, append)
        head = self.heads[0]
        for found in self._frames(data, pos):
            receipt, body = found.groups()
            if body is None:
                break
            append((SEND, head, receipt, body))
            pos = found.end()
        return pos

    def _read_turns(self, data: bytes, pos: int, append: Callable[[SendEvent], None]) -> int:
        by_value, value_at, receipt_at = self._by_value, self._value_at, self._receipt_at
        for found in self._frames(data, pos):
            gaps = found.groups()
            if gaps[2] is None:
                break
            append((SEND, by_value[gaps[value_at]], gaps[receipt_at], gaps[2]))
            pos = found.end()
        return pos

    def has(self, head: object) -> bool:
        """True for one of its heads."""
        return any(known is head for known in self.heads)


def run_of(raw: bytes, keys: Mapping[bytes, SendHead], length: int) -> HeadRun | None:
    """The run of frames of which one has this whole head; None if there can be none.

    Args:
        raw: where a `receipt` stands, if there is one.
        keys: see `HeadRun`.
        length: see `HeadRun`.
    """
    lines = raw.split(b"\n")
    receipt_at = next((at for at, line in enumerate(lines) if line.startswith(b"receipt:")), len(lines))
    turn = line_in_turn(list(keys))
    if turn < 0 and len(keys) > 1:
        return None
    return HeadRun(keys, turn, receipt_at, length)


def line_in_turn(keys: Sequence[bytes]) -> int:
    """Which line of these heads is the only one whose value differs; -1 if there is no such line."""
    columns = list(zip(*(key.split(b"\n") for key in keys), strict=False))
    differing = [at for at, column in enumerate(columns) if len(set(column)) > 1]
    if len(differing) != 1 or len({key.count(b"\n") for key in keys}) > 1:
        return -1
    names = {line.partition(b":")[0] for line in columns[differing[0]]}
    return differing[0] if len(names) == 1 else -1
