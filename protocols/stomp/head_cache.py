"""The memory for heads that repeat: what a connection's parser has read once it need not read again.

A *key* is a head without its `receipt` line, a *shape* a key without its `content-length` line: a producer whose bodies
differ in size has one shape and many keys. Heads that never repeat, as each message has an id or a trace of its own,
are known by their template (head_template.py).

Invariant: a key or a shape is here only after `read_head` has accepted exactly these octets, with or without one line
each for `receipt` and `content-length` whose values are CLEAN and digits; both lines are counted against the limits. So
whoever cuts such lines out and finds the rest here knows what `read_head` would say.
"""

from __future__ import annotations

import re
from typing import Final

from segue.protocols.stomp.escaping import CLEAN
from segue.protocols.stomp.events import Event
from segue.protocols.stomp.frame_pattern import RUN_BODY_BYTES_MAX
from segue.protocols.stomp.frames import SendHead
from segue.protocols.stomp.head import LENGTH_DIGITS_MAX, Head
from segue.protocols.stomp.head_run import HeadRun, Repetition, repetition_in, run_of
from segue.protocols.stomp.head_template import Family, HeadFamily, HeadTemplate, can_be_learned, family_of
from segue.protocols.stomp.limits import FAST_HEAD_BYTES, Limits
from segue.protocols.stomp.varying_head import VaryingHead

__all__ = ["HeadCache", "cut_receipt"]

_is_clean: Final = re.compile(CLEAN).fullmatch
# Hashes of heads seen once, 100 bytes each with their place in the set.
_SEEN_ONCE_MAX: Final = 512
_FAMILIES_MAX: Final = 64
# What CPython takes for what the cache keeps, measured: a key with its tuple and its place in the dict, and what a head
# and each of its headers add to that; a family, and each octet of its lines.
_KEY_BYTES: Final = 250
_HEAD_BYTES: Final = 600
_HEADER_BYTES: Final = 150
_FAMILY_BYTES: Final = 6_000
_FAMILY_OCTET_BYTES: Final = 16


class HeadCache:
    """The heads of SEND frames that a connection repeats; see the module.

    Only what comes a second time is kept as a key: a producer that puts a unique header into each message would else
    fill the cache with what nobody asks for again.

    Args:
        limits: how much may be kept, and how long a body may be.

    Attributes:
        exact: by key: the head, and its body's length or -1. To be read by the parser, which saves a call that way.
        run: the pattern for frames with the heads that came last, again and again; None if none did.
        template: of the heads that came last, of those that have one; likewise to be read by the parser.
    """

    __slots__ = (
        "_bytes", "_families", "_families_bytes", "_limits", "_repetition", "_seen_once", "_shapes", "exact", "run",
        "template",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.exact: dict[bytes, tuple[SendHead, int]] = {}
        self.run: HeadRun | None = None
        self.template: HeadTemplate | None = None
        self._repetition: Repetition | None = None  # in the last read
        self._shapes: dict[bytes, SendHead] = {}
        self._families: dict[Family, HeadFamily] = {}
        self._families_bytes = 0
        self._seen_once: set[int] = set()
        self._bytes = 0

    def by_shape(self, key: bytes) -> tuple[SendHead, int] | None:
        """Return what `exact` would say, from the shape; None if it is not known."""
        shape, length = _cut_length(key)
        head = self._shapes.get(shape)
        if head is None or not 0 <= length <= self._limits.body_bytes_max:
            return None
        self._keep(key, head, length, 0)
        return head, length

    def by_template(self, raw: bytes) -> tuple[VaryingHead, int] | None:
        """Return what a whole head means, and its body's length or -1; None if there is no template for it."""
        if not self._families or len(raw) > FAST_HEAD_BYTES:
            return None
        family = self._families.get(family_of(raw.split(b"\n")))
        if family is None or family.template is None or (hit := family.template.read_head(raw)) is None:
            return None
        self.template = family.template  # the next one is most likely of the same family
        return hit

    def begin_read(self, data: bytes, pos: int) -> HeadRun | None:
        """A read begins with a frame at `pos`. Returns the `run`, if its frames may be one."""
        repetition, self._repetition = self._repetition, None
        if repetition is not None:
            head_end = data.find(b"\n\n", pos, pos + FAST_HEAD_BYTES)
            if head_end > 0:
                self._begin_run(data[pos:head_end], repetition)
        return self.run

    def end_read(self, events: list[Event]) -> None:
        """All of a read has been taken: if its frames were alike, the next ones will be."""
        if self.run is None:
            self._repetition = repetition_in(events)

    def remember(self, key: bytes, raw: bytes, head: Head) -> None:
        """Keep a head that has been accepted, if it came before; and learn in what such heads differ.

        Args:
            key: its octets without the `receipt` line; empty if it may not be kept.
            raw: its octets.
            head: what they mean; the head of a SEND.
        """
        assert head.send is not None
        shape, _ = _cut_length(key)
        if not shape or b"\nreceipt:" in shape or b"\ncontent-length:" in shape:
            return
        if key.count(b"\n") + 2 > self._limits.header_count_max:
            return
        if self._is_seen_again(shape):
            self._keep(key, head.send, head.length, _HEAD_BYTES + 2 * len(key) + _HEADER_BYTES * key.count(b"\n"))
            self._shapes[shape] = head.send
        else:
            self._learn(raw, head.send)

    def clear(self) -> None:
        """Forget everything."""
        self._forget_heads()
        self._forget_families()
        self._seen_once.clear()

    def _begin_run(self, raw: bytes, repetition: Repetition) -> None:
        start, cut, rest = raw.partition(b"\nreceipt:")
        head, length = self.exact.get(cut_receipt(start, rest)[0] if cut else raw, (None, -1))
        if not repetition.has(head) or length > RUN_BODY_BYTES_MAX or length not in (-1, repetition.length):
            return
        keys = {key: head for key, (head, size) in self.exact.items() if size == length and repetition.has(head)}
        if len(keys) == len(repetition.heads):
            self.run = run_of(raw, keys, length)

    def _learn(self, raw: bytes, head: SendHead) -> None:
        lines = raw.split(b"\n")
        name = family_of(lines)
        family = self._families.get(name)
        if family is not None:
            family.add(lines, head)
        elif can_be_learned(lines):
            size = _FAMILY_BYTES + _FAMILY_OCTET_BYTES * len(raw)
            if len(self._families) >= _FAMILIES_MAX or self._families_bytes + size > self._limits.cached_bytes_max // 2:
                self._forget_families()
            self._families[name] = HeadFamily(lines)
            self._families_bytes += size

    def _is_seen_again(self, shape: bytes) -> bool:
        fingerprint = hash(shape)
        if fingerprint in self._seen_once:
            return True
        if len(self._seen_once) >= _SEEN_ONCE_MAX:
            self._seen_once.clear()
        self._seen_once.add(fingerprint)
        return False

    def _keep(self, key: bytes, head: SendHead, length: int, head_bytes: int) -> None:
        """Add a key, and a head that takes `head_bytes` if it is a new one; make room by forgetting all."""
        size = _KEY_BYTES + len(key) + head_bytes
        limits = self._limits
        if len(self.exact) >= limits.cached_heads_max or self._bytes + size > limits.cached_bytes_max // 2:
            self._forget_heads()
        self.exact[key] = head, length
        self._bytes += size

    def _forget_heads(self) -> None:
        self.exact.clear()
        self._shapes.clear()
        self._repetition = self.run = None
        self._bytes = 0

    def _forget_families(self) -> None:
        self._families.clear()
        self._families_bytes = 0
        self.template = None


def cut_receipt(start: bytes, rest: bytes) -> tuple[bytes, bytes | None]:
    """Cut the receipt line out of a head.

    Args:
        start: what stands before the line.
        rest: what stands behind `receipt:`.

    Returns:
        The head without the line, and the receipt; `(b"", None)` if its value is not CLEAN.
    """
    value, line_end, after = rest.partition(b"\n")
    if _is_clean(value) is None:
        return b"", None
    return start + line_end + after, value


def _cut_length(key: bytes) -> tuple[bytes, int]:
    """Return a key without its `content-length` line, and the length or -1; `(b"", -1)` if it is no plain number."""
    start, cut, rest = key.partition(b"\ncontent-length:")
    if not cut:
        return key, -1
    digits, line_end, after = rest.partition(b"\n")
    if not digits.isdigit() or len(digits) > LENGTH_DIGITS_MAX:
        return b"", -1
    return start + line_end + after, int(digits)
