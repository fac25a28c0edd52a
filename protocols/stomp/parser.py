"""From a STOMP client's octets to events: the hot path of the product.

Theory of operation. `receive_data` walks over one read in a single loop. It looks at one octet to see what kind of
frame begins there:

- `S`: most likely SEND. The head up to the blank line is sliced out, its `receipt` line is cut away, and the rest is
  looked up in a dict. A producer's heads are all alike, so this hits, and nothing of the head has to be read again.
  When the same few have come one behind the other, a pattern is made for runs of such frames (head_run.py).
  Heads of which each has a value of its own are taken apart by a pattern, a run of frames at once (head_template.py).
- `A`: most likely a run of ACKs; one compiled pattern takes them one by one.
- an end of line or a NUL: heart-beats and line ends between frames; skipped.
- all else, and whatever the two shortcuts decline: `_read_frame`, which knows all the rules.

Invariant of all three (head_cache.py, head_run.py, head_template.py): a hit can't differ from a full reading.

Between reads the parser is in one phase (see `_Phase`). A head that is cut off waits in `_pending`, and each new octet
of it is looked at once; a body that is cut off is collected in `_body` (body.py) and never scanned again, so no way to
cut a frame into reads costs more than linear time. No memory is set aside for a length that the peer only claims.

Which octets mean what depends on the version (escapes, CR, leading spaces). Therefore the parser stops behind a CONNECT
frame and holds what follows until `resume` tells the version.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from segue.protocols.stomp.body import LARGE_BODY_BYTES, LargeBody, UnfinishedBody
from segue.protocols.stomp.errors import ErrorCode, StompMisuseError, StompProtocolError
from segue.protocols.stomp.escaping import CLEAN
from segue.protocols.stomp.events import ACK, ERROR, FRAME, LARGE_SEND, SEND, AckEvent, Event
from segue.protocols.stomp.frames import Frame, SendHead, Version
from segue.protocols.stomp.head import Head, check_head_size, read_command, read_head
from segue.protocols.stomp.head_cache import HeadCache, cut_receipt
from segue.protocols.stomp.limits import FAST_HEAD_BYTES, Limits
from segue.protocols.stomp.varying_head import VaryingHead

__all__ = ["Parser"]


class _Phase(Enum):
    """What the next octet is part of."""

    HEAD = auto()  # the space between two frames, or a head whose start is in `_pending`
    BODY = auto()  # a body whose head is in `_head` and whose start is in `_body`
    HELD = auto()  # unknown until `resume`; kept in `_pending`
    DONE = auto()  # nothing: an error was reported, or the input has ended


_S: Final = ord("S")
_A: Final = ord("A")
_END_OF_LINES: Final = (ord("\n"), ord("\r"), 0)
_end_of_lines: Final = re.compile(rb"[\n\r\0]+").match
_head_end: Final = re.compile(rb"\n\r?\n|\0").search
# The empty alternative ends a run: it matches where no ACK begins, so that `finditer` never searches beyond.
_ACK_RUN: Final = re.compile(rb"ACK\nid:(" + CLEAN + rb")\n(?:receipt:(" + CLEAN + rb")\n)?\n\0[\n\r\0]*|")
_ACK_HEADERS: Final = ({"id"}, {"id", "receipt"})
_ACK_ID_BYTES_MAX: Final = 255


class Parser:
    """Cuts what a client sends into events. Sans-IO: it is given octets and returns tuples.

    Args:
        limits: what a frame may measure.
    """

    __slots__ = (
        "_body",
        "_cache",
        "_fast_acks",
        "_fast_head_bytes",
        "_head",
        "_key",
        "_limits",
        "_line_count",
        "_line_start",
        "_pending",
        "_phase",
        "_raw",
        "_version",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._phase = _Phase.HEAD
        self._version: Version | None = None
        self._pending = bytearray()
        self._line_start = 0  # of the last line in `_pending`
        self._line_count = 0  # whole lines in `_pending`
        self._head: Head | None = None
        self._key = self._raw = b""  # of `_head` in the cache
        self._body = UnfinishedBody()
        self._cache = HeadCache(limits)
        # 0 until the version is known, and when the shortcuts are turned off: the search for a head then finds nothing.
        self._fast_head_bytes = 0
        self._fast_acks = False

    @property
    def bytes_held(self) -> int:
        """Octets kept of what is not complete yet."""
        return len(self._pending) + len(self._body)

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take the next octets from the peer.

        Args:
            data: one read; `b""` is the end of the input, after which half a frame is forgotten.

        Returns:
            What has become complete with it, in order. If the peer broke a rule, the last event is (ERROR, error), and
            everything that follows is ignored. Nothing is ever raised for what a peer sent.
        """
        events: list[Event] = []
        if not data:
            self._stop()
            return events
        try:
            self._receive(bytes(data), events)
        except StompProtocolError as failure:
            self._stop()
            # Its traceback, and that of what it was made of, lead to `events`, and so to itself.
            failure.__context__ = None
            events.append((ERROR, failure.with_traceback(None)))
        return events

    def resume(self, version: Version) -> list[Event]:
        """Go on behind a CONNECT frame, in the version that was negotiated.

        Returns:
            The events in what was held back; see receive_data.

        Raises:
            StompMisuseError: the last event was not a CONNECT or STOMP frame.
        """
        if self._phase is _Phase.DONE:
            return []
        if self._phase is not _Phase.HELD:
            raise StompMisuseError("resume() belongs behind a CONNECT frame")
        self._phase = _Phase.HEAD
        self._version = version
        if self._limits.cached_heads_max:
            self._fast_head_bytes = FAST_HEAD_BYTES
            self._fast_acks = version is Version.V1_2
        held = bytes(self._pending)
        self._pending.clear()
        return self.receive_data(held) if held else []

    def _stop(self) -> None:
        self._phase = _Phase.DONE
        self._pending = bytearray()
        self._body = UnfinishedBody()
        self._head = None
        self._cache.clear()

    def _receive(self, data: bytes, events: list[Event]) -> None:
        if self._phase is _Phase.HEAD:
            joined = self._join_head(data) if self._pending else data
            if joined is not None:
                self._parse(joined, 0, events)
        elif self._phase is _Phase.BODY:
            start = self._take_body(data, 0, events)
            self._parse(data, start, events)
        elif self._phase is _Phase.HELD:
            self._hold(data)

    def _parse(self, data: bytes, pos: int, events: list[Event]) -> None:
        """Take all whole frames in `data` from `pos` on, and keep what is left.

        One flat loop: with a function call for each of its steps a frame would take twice the time.
        """
        find = data.find
        append = events.append
        cache = self._cache
        run = cache.begin_read(data, pos)
        known = cache.exact.get
        body_max = self._limits.body_bytes_max
        fast_head_bytes = self._fast_head_bytes
        end = len(data)
        while pos < end:
            first = data[pos]
            key = b""
            head_end = -1
            if first == _S:
                if run is not None:
                    after = run.read(data, pos, append)
                    if after > pos:
                        pos = after
                        continue
                head_end = find(b"\n\n", pos, pos + fast_head_bytes)
                if head_end > 0:
                    key, cut, rest = data[pos:head_end].partition(b"\nreceipt:")
                    # A receipt of letters and digits holds no LF, so it is the last line; most are like this.
                    receipt: bytes | None = rest
                    if not rest.isalnum():
                        key, receipt = cut_receipt(key, rest) if cut else (key, None)
                    hit: tuple[SendHead | VaryingHead, int] | None = known(key)
                    if hit is None:
                        if cache.template is not None:
                            after = cache.template.read_run(data, pos, body_max, append)
                            if after > pos:
                                pos = after
                                continue
                        hit = cache.by_shape(key) or cache.by_template(data[pos:head_end])
                    if hit is not None:
                        head, length = hit
                        start = head_end + 2
                        stop = start + length if length >= 0 else _body_end(data, start, body_max)
                        # A body that is not complete, too long or without its NUL is the full reader's business.
                        if stop < end and not data[stop]:
                            append((SEND, head, receipt, data[start:stop]))
                            pos = stop + 1
                            if run is not None and not run.has(head):
                                run = cache.run = None
                            continue
            elif first == _A and self._fast_acks:
                after = _read_acks(data, pos, append)
                if after > pos:
                    pos = after
                    continue
            elif first in _END_OF_LINES:
                found = _end_of_lines(data, pos)
                assert found is not None
                pos = found.end()
                continue
            pos = self._read_frame(data, pos, key, head_end, events)
        cache.end_read(events)

    def _read_frame(self, data: bytes, pos: int, key: bytes, key_end: int, events: list[Event]) -> int:
        """Read one frame by all the rules, and return where the next one begins.

        Args:
            data: what is there of the frame; what is missing is awaited.
            pos: where the frame begins.
            key: what the cache may call the head, if it ends at `key_end`; empty if it may not keep it.
            key_end: see key.
            events: to append to.
        """
        head_end, body_start = self._find_head_end(data, pos)
        if head_end < 0:
            self._await_head(data[pos:])
            return len(data)
        raw = data[pos:head_end]
        self._head = read_head(raw, self._version, self._limits)
        self._key, self._raw = (key, raw) if head_end == key_end else (b"", b"")
        self._phase = _Phase.BODY
        return self._take_body(data, body_start, events)

    def _find_head_end(self, data: bytes, pos: int) -> tuple[int, int]:
        """Return where the head ends and where the body begins; (-1, -1) if the blank line is not there.

        In two steps: a client that ends its lines with CRLF has no LF LF, and a search for it far beyond the head
        would go over the whole read once for each frame.
        """
        for size in (FAST_HEAD_BYTES, self._limits.header_block_bytes_max + 3):
            lf = data.find(b"\n\n", pos, pos + size)
            crlf = data.find(b"\n\r\n", pos, pos + size if lf < 0 else lf + 1)
            if crlf >= 0:
                return crlf, crlf + 3
            if lf >= 0:
                return lf, lf + 2
        return -1, -1

    def _await_head(self, data: bytes) -> None:
        """Keep more of a head that is not complete, but refuse at once what can't become one."""
        limits = self._limits
        pending = self._pending
        size = len(pending)
        pending += data
        last_line_end = data.rfind(b"\n")
        if last_line_end >= 0:
            self._line_start = size + last_line_end + 1
            self._line_count += data.count(b"\n")
        # What is no command is refused as soon as its line is over: an HTTP request, a TLS handshake.
        line, line_end, _ = bytes(pending[: limits.command_bytes_max + 2]).partition(b"\n")
        if line_end or len(line) > limits.command_bytes_max + 1:
            read_command(line)
        # A NUL behind what a head may have is not looked at: that head is too large in the first place.
        if 0 <= data.find(b"\0") <= limits.header_block_bytes_max - size:
            raise StompProtocolError(ErrorCode.BAD_FRAME, "A NUL stands where header lines or a blank line belong")
        # The start of a blank line does not count.
        size = len(pending) - (2 if pending.endswith(b"\n\r") else pending.endswith(b"\n"))
        check_head_size(size, len(pending) - self._line_start, self._line_count - 1, self._version, limits)

    def _join_head(self, data: bytes) -> bytes | None:
        """Return the head that was waiting with all that is behind it, once it is complete; None until then."""
        pending = self._pending
        # The blank line may be cut itself: LF CR is here, and LF comes now.
        seam = bytes(pending[-2:]) + data[: self._limits.header_block_bytes_max + 3]
        if _head_end(seam) is None:
            self._await_head(data)
            return None
        joined = bytes(pending) + data
        pending.clear()
        self._line_start = self._line_count = 0
        return joined

    def _take_body(self, data: bytes, start: int, events: list[Event]) -> int:
        """Add octets from `start` on to the body that is under way, and return where the next frame begins."""
        head, body = self._head, self._body
        assert head is not None
        stop = data.find(b"\0", start) if head.length < 0 else start + head.length - len(body)
        if not 0 <= stop < len(data):
            self._check_body_size(len(body) + len(data) - start, head)
            body.add(data[start:])
            return len(data)
        self._check_body_size(len(body) + stop - start, head)
        if data[stop]:
            raise StompProtocolError(
                ErrorCode.BAD_CONTENT_LENGTH,
                f"There is no NUL behind the {head.length} octets of the body",
                receipt=head.receipt,
            )
        rest = data[start:stop]
        if not body:
            self._complete(head, rest, events)
        else:
            body.add(rest)
            large = head.send is not None and len(body) >= LARGE_BODY_BYTES
            self._complete(head, body.take_in_pieces() if large else body.take(), events)
        if self._phase is _Phase.HELD:
            self._hold(data[stop + 1 :])
            return len(data)
        return stop + 1

    def _check_body_size(self, size: int, head: Head) -> None:
        if size > head.body_bytes_max:
            text = f"The body of {head.command} may have {max(head.body_bytes_max, 0)} bytes here"
            raise StompProtocolError(ErrorCode.FRAME_TOO_LARGE, text, receipt=head.receipt)

    def _complete(self, head: Head, body: bytes | LargeBody, events: list[Event]) -> None:
        """Make the event of a frame that is whole."""
        self._head = None
        self._phase = _Phase.HEAD
        if isinstance(body, LargeBody):
            assert head.send is not None
            events.append((LARGE_SEND, head.send, head.receipt, body))
        elif head.send is not None:
            events.append((SEND, head.send, head.receipt, body))
            if self._key:
                self._cache.remember(self._key, self._raw, head)
        elif head.command == "ACK" and self._version is Version.V1_2 and _is_plain_ack(head.headers):
            events.append((ACK, head.headers["id"].encode(), head.receipt))
        else:
            events.append((FRAME, Frame(head.command, head.headers, body, head.receipt)))
            if self._version is None and head.command in ("CONNECT", "STOMP"):
                self._phase = _Phase.HELD

    def _hold(self, data: bytes) -> None:
        """Keep what a client sends without waiting for CONNECTED."""
        self._pending += data
        if len(self._pending) > self._limits.held_bytes_max:
            text = f"Before CONNECTED a client may send {self._limits.held_bytes_max} bytes ahead"
            raise StompProtocolError(ErrorCode.FRAME_TOO_LARGE, text)


def _is_plain_ack(headers: dict[str, str]) -> bool:
    return headers.keys() in _ACK_HEADERS and len(headers["id"]) <= _ACK_ID_BYTES_MAX


def _body_end(data: bytes, start: int, body_max: int) -> int:
    """Where a body without a length ends; the end of the data if it has not come to that, or is too long."""
    stop = data.find(b"\0", start)
    return stop if 0 <= stop <= start + body_max else len(data)


def _read_acks(data: bytes, pos: int, append: Callable[[AckEvent], None]) -> int:
    """Take the ACKs that are alike; returns where the first frame begins that is not."""
    for match in _ACK_RUN.finditer(data, pos):
        ack_id, receipt = match.groups()
        if ack_id is None:
            break
        append((ACK, ack_id, receipt))
        pos = match.end()
    return pos
