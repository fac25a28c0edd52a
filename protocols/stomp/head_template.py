"""Templates: how a parser learns in which lines the heads of a producer differ, and takes them apart from then on.

Theory of operation. Two heads are of one *family* if they have the same lines in the same order, but for the values of
lines that may differ (`may_vary`) and of `receipt` and `content-length`. From the first few of a family it shows which
of these lines do differ. Of the others, of what is fixed, and of gaps for the values, a pattern is made: it matches a
whole head, and so a run of frames is taken apart without reading a line of them.

Invariant: what the pattern matches, the full reader would accept, with the same result. It has accepted the family's
heads; other values are CLEAN, so that they need no decoding in any version, or digits; and the head is no larger than
any limit allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, TypeAlias

from segue.protocols.stomp.escaping import CLEAN
from segue.protocols.stomp.events import SEND, SendEvent
from segue.protocols.stomp.frame_pattern import RUN_BODY_BYTES_MAX, FramePattern, whole_frames
from segue.protocols.stomp.frames import SendHead
from segue.protocols.stomp.limits import FAST_HEAD_BYTES
from segue.protocols.stomp.varying_head import GAP, IDENTITY_NAMES, SharedHead, VaryingHead, may_vary

__all__ = ["Family", "HeadFamily", "HeadTemplate", "can_be_learned", "family_of"]

_DIGITS: Final = rb"[0-9]{1,18}"
_VALUES: Final = {b"content-length": _DIGITS, b"sequence-id": _DIGITS}
_is_clean: Final = re.compile(CLEAN).fullmatch
_is_number: Final = re.compile(_DIGITS).fullmatch
_IDENTITY_NAMES: Final = [name.encode() for name in IDENTITY_NAMES]
_is_name: Final = re.compile(rb"[A-Za-z0-9._-]+").fullmatch
_ALWAYS_GAPS: Final = (b"receipt:", b"content-length:")
# To compile a pattern takes as long as to read eight heads by all the rules.
_HEADS_MIN: Final = 8
_VARYING_MAX: Final = 4
_VALUE_BYTES_MAX: Final = 255
# As for a head that is repeated (head_run.py). A producer whose bodies change their length now and then has a new
# pattern made each time, but not for ever.
_SAME_LENGTH_MIN: Final = 64
_LENGTHS_MAX: Final = 16

_Pick: TypeAlias = Callable[[Sequence[bytes]], tuple[bytes, ...]]
Family: TypeAlias = tuple[bytes, ...]
"""The lines of its heads, without the values that may differ."""


def family_of(lines: list[bytes]) -> Family:
    """Which family a head is of.

    Args:
        lines: of a head, from the command on.
    """
    return tuple([line[: line.index(b":") + 1] if _is_gap(line) else line for line in lines])


class HeadTemplate:
    """See the module.

    Attributes:
        shared: what the heads have in common.
    """

    __slots__ = (
        "_frames", "_head_bytes_max", "_length_at", "_lengths_left", "_match", "_parts", "_receipt_at", "_values_of",
        "shared",
    )  # fmt: skip

    def __init__(self, lines: list[bytes], varying: list[int], headers: dict[str, str]) -> None:
        """`lines`, `headers`: of one of the family's heads; `varying`: the indices of lines that differ, rising."""
        parts: list[bytes] = []
        gaps: list[bytes] = []
        for index, line in enumerate(lines):
            name, _, _ = line.partition(b":")
            if index in varying or line.startswith(_ALWAYS_GAPS):
                parts.append(re.escape(name) + b":(" + _VALUES.get(name, CLEAN) + b")")
                gaps.append(name)
            else:
                parts.append(re.escape(line))
        self.shared: Final = SharedHead(headers, [lines[index].partition(b":")[0].decode() for index in varying])
        self._parts: Final = parts
        self._match: Final = re.compile(b"\n".join(parts) + b"\n\n").match
        self._receipt_at: Final = gaps.index(b"receipt") if b"receipt" in gaps else -1
        self._length_at: Final = gaps.index(b"content-length") if b"content-length" in gaps else -1
        values_at = [at for at in range(len(gaps)) if at not in (self._receipt_at, self._length_at)]
        self._head_bytes_max: Final = len(b"\n".join(parts)) + _VALUE_BYTES_MAX * (len(values_at) + 1)
        # A slice is the quickest way to a tuple of one, or of neighbours, and mostly they are that.
        first, end = values_at[0], values_at[-1] + 1
        near = end - first == len(values_at)
        self._values_of: Final[_Pick] = itemgetter(slice(first, end)) if near else itemgetter(*values_at)
        # A pattern for whole frames whose bodies have one length, that of the frames that came last.
        self._frames: FramePattern | None = None
        self._lengths_left = _LENGTHS_MAX

    def read_head(self, raw: bytes) -> tuple[VaryingHead, int] | None:
        """What a whole head means, and its body's length or -1; None if it does not match.

        Args:
            raw: from the command on, without its blank line.
        """
        found = self._match(raw + b"\n\n")
        if found is None:
            return None
        gaps = found.groups()
        length = int(gaps[self._length_at]) if self._length_at >= 0 else -1
        return VaryingHead(self.shared, self._values_of(gaps)), length

    def read_run(self, data: bytes, pos: int, body_max: int, append: Callable[[SendEvent], None]) -> int:
        """Take apart the frames that match, one behind the other.

        Args:
            data: what has come.
            pos: where the first frame begins.
            body_max: how long a body may be.
            append: is called with a SEND for each.

        Returns:
            Where the first frame begins that does not match or is not whole.
        """
        values_of, receipt_at, shared = self._values_of, self._receipt_at, self.shared
        if self._frames is not None:
            for found in self._frames(data, pos):
                gaps = found.groups()
                if gaps[-1] is None:
                    break
                receipt = gaps[receipt_at] if receipt_at >= 0 else None
                append((SEND, VaryingHead(shared, values_of(gaps)), receipt, gaps[-1]))
                pos = found.end()
        return self._read_any(data, pos, body_max, append)

    def _read_any(self, data: bytes, pos: int, body_max: int, append: Callable[[SendEvent], None]) -> int:
        """As `read_run`, with bodies of any length."""
        match, receipt_at, length_at, end = self._match, self._receipt_at, self._length_at, len(data)
        lengths: set[int] = set()
        count = 0
        while (found := match(data, pos)) is not None:
            start, gaps = found.end(), found.groups()
            stop = start + int(gaps[length_at]) if length_at >= 0 else data.find(b"\0", start)
            if not start <= stop < end or data[stop] or stop - start > body_max or start - pos > FAST_HEAD_BYTES:
                break
            receipt = gaps[receipt_at] if receipt_at >= 0 else None
            append((SEND, VaryingHead(self.shared, self._values_of(gaps)), receipt, data[start:stop]))
            lengths.add(stop - start)
            count += 1
            pos = stop + 1
        if count >= _SAME_LENGTH_MIN and len(lengths) == 1:
            self._expect_length(lengths.pop())
        return pos

    def _expect_length(self, length: int) -> None:
        """Frames with bodies of this length come one behind the other: they are matched as a whole from now on."""
        if self._length_at < 0 or length > RUN_BODY_BYTES_MAX or not self._lengths_left:
            return
        if self._head_bytes_max > FAST_HEAD_BYTES:
            return
        self._lengths_left -= 1
        digits = b"(%d)" % length
        parts = [part.replace(b"(" + _DIGITS + b")", digits) if _is_length(part) else part for part in self._parts]
        self._frames = whole_frames(b"\n".join(parts) + b"\n", length)


class HeadFamily:
    """What is known of a family.

    Attributes:
        template: None until enough of its heads were seen, or if they differ in too much.
    """

    __slots__ = ("_heads", "_lines", "_varying", "template")

    def __init__(self, lines: list[bytes]) -> None:
        """`lines`: of its first head."""
        self.template: HeadTemplate | None = None
        self._lines = lines
        self._varying: set[int] = set()
        self._heads = 1

    def add(self, lines: list[bytes], head: SendHead) -> None:
        """Another of its heads, which no template has matched, was accepted."""
        varying = self._varying
        if len(varying) > _VARYING_MAX:
            return
        self._heads += 1
        before = len(varying)
        pairs = enumerate(zip(lines, self._lines, strict=True))
        varying.update([at for at, (line, first) in pairs if line != first and not line.startswith(_ALWAYS_GAPS)])
        if len(varying) > _VARYING_MAX:
            self.template = None
        elif varying and self._heads >= _HEADS_MIN and (self.template is None or len(varying) > before):
            self.template = HeadTemplate(lines, sorted(varying), head.headers)


def can_be_learned(lines: list[bytes]) -> bool:
    """True for heads whose family may have a template: no name comes twice, and at most one makes a repeat."""
    names = [line.partition(b":")[0] for line in lines]
    identities = [name for name in names if name in _IDENTITY_NAMES]
    return len(set(names)) == len(names) and len(identities) <= 1 and not any(GAP in line for line in lines)


def _is_length(part: bytes) -> bool:
    return part.startswith(re.escape(b"content-length") + b":(")


def _is_gap(line: bytes) -> bool:
    """True for a line whose value may differ within a family."""
    name, colon, value = line.partition(b":")
    if not colon or _is_name(name) is None:
        return False
    if name in _VALUES:
        return _is_number(value) is not None
    return _is_clean(value) is not None and (name == b"receipt" or may_vary(name.decode()))
