"""From the octets of a whole head to a command and headers, by all the rules; and the memory for heads that repeat.

Rules that differ by version are in escaping.py; here are those of the lines (STOMP 1.2, "Augmented BNF"): a line ends
with LF or CRLF, is split at its first colon, is UTF-8; the first of repeated headers wins. Brokers and clients take
CRLF and further colons in every version, so we do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote
from segue.protocols.stomp.escaping import Version, unescape
from segue.protocols.stomp.frames import CLIENT_COMMANDS, SERVER_COMMANDS, SendHead, encode_block
from segue.protocols.stomp.identified_head import IDENTITY_NAMES, VARYING_NAMES, IdentifiedHead, SharedHead
from segue.protocols.stomp.limits import Limits
from segue.protocols.stomp.schedule_headers import SCHEDULE_HEADERS

__all__ = ["CLEAN", "Head", "HeadCache", "check_head_size", "cut_receipt", "read_command", "read_head"]

# A pattern for header text that reads the same raw and decoded, in every version: printable ASCII without a backslash,
# and without a space in front. What is longer than 255 is left to the full reader.
CLEAN: Final = rb"[!-\[\]-~][ -\[\]-~]{0,254}"

_Matches: TypeAlias = Callable[[bytes], object]
_is_clean: Final = re.compile(CLEAN).fullmatch
_is_number: Final = re.compile(rb"[0-9]{1,18}").fullmatch
_receipt_line: Final = re.compile(rb"\nreceipt:(" + CLEAN + rb")\r?(?:\n|\Z)").search
_identity_line: Final = re.compile(
    rb"\n(" + "|".join(IDENTITY_NAMES).encode() + rb"):(" + CLEAN + rb")(?=\n|\Z)"
).search
_varying_lines: Final = [
    re.compile(rb"\n(" + name.encode() + rb"):(" + CLEAN + rb")(?=\n|\Z)").search for name in VARYING_NAMES
]
# What a session takes out of a block, or puts into it, would be missing in one that is put together anew.
_REWRITTEN: Final = frozenset(("reply-to", *SCHEDULE_HEADERS))
_COMMANDS: Final = {command.encode(): command for command in CLIENT_COMMANDS | SERVER_COMMANDS}
# More digits than any limit has; a number of a million digits would take quadratic time to read.
_LENGTH_DIGITS_MAX: Final = 18
# Hashes of heads seen once, 100 bytes each with their place in the set.
_SEEN_ONCE_MAX: Final = 512
# What CPython takes for what the cache keeps, measured: a key with its tuple and its place in the dict, and what a head
# and each of its headers add to that.
_KEY_BYTES: Final = 250
_HEAD_BYTES: Final = 600
_HEADER_BYTES: Final = 150


class Head:
    """A head that has been accepted, until its body is complete.

    Attributes:
        command: a client's or a server's command.
        headers: decoded, the first of repeated ones.
        receipt: the `receipt` header as it came on the wire.
        length: octets of the body; -1 where a NUL ends it.
        body_bytes_max: how long the body may be.
        send: what a SEND event carries; None for other frames.
    """

    __slots__ = ("body_bytes_max", "command", "headers", "length", "receipt", "send")

    def __init__(self, command: str, headers: dict[str, str], receipt: bytes | None) -> None:
        self.command = command
        self.headers = headers
        self.receipt = receipt
        self.length = -1
        self.body_bytes_max = 0
        self.send: SendHead | None = None


def read_head(raw: bytes, version: Version | None, limits: Limits) -> Head:
    """Read a whole head, without its blank line.

    Args:
        raw: from the command on.
        version: what was negotiated; None before the login, when nothing is escaped and no frame is a SEND.
        limits: what it may measure.

    Raises:
        StompProtocolError: something is wrong with it; names the frame's receipt where that can be read.
    """
    try:
        head = _read_lines(raw, version, limits)
        if version is None:
            head.body_bytes_max = limits.login_frame_bytes_max - len(raw)
        elif head.command == "SEND":
            _read_send(head, limits)
        else:
            head.body_bytes_max = limits.other_body_bytes_max
    except StompProtocolError as failure:
        found = _receipt_line(raw)
        failure.receipt_id = found[1] if found else None
        raise
    return head


def read_command(line: bytes) -> str:
    """Return the command in the first line of a frame, which may end with CR.

    Raises:
        StompProtocolError: it is none; commands are case-sensitive.
    """
    command = _COMMANDS.get(line.removesuffix(b"\r"))
    if command is None:
        text = quote(line.decode(errors="replace"))
        raise StompProtocolError(ErrorCode.BAD_COMMAND, f'Could not interpret command "{text}"')
    return command


def check_head_size(size: int, line_size: int, line_count: int, version: Version | None, limits: Limits) -> None:
    """Refuse a head, or the part of one that has come, that is too large.

    Args:
        size: octets from the command on.
        line_size: octets of its longest header line.
        line_count: its header lines.
        version: None before the login.
        limits: to compare with.

    Raises:
        StompProtocolError: it is too large.
    """
    size_max = limits.header_block_bytes_max
    if version is None:
        size_max = min(size_max, limits.login_frame_bytes_max)
    if size > size_max:
        what = f"{size_max} bytes"
    elif line_size > limits.header_line_bytes_max:
        what = f"{limits.header_line_bytes_max} bytes in a line"
    elif line_count > limits.header_count_max:
        what = f"{limits.header_count_max} lines"
    else:
        return
    raise StompProtocolError(ErrorCode.HEADER_TOO_LARGE, f"The headers of a frame may have {what}")


def _read_lines(raw: bytes, version: Version | None, limits: Limits) -> Head:
    first, _, rest = raw.partition(b"\n")
    command = read_command(first)
    if b"\0" in raw:
        raise StompProtocolError(ErrorCode.BAD_FRAME, "A NUL stands in the headers")
    line_size = len(raw) if len(raw) <= limits.header_line_bytes_max else max(map(len, raw.split(b"\n")))
    check_head_size(len(raw), line_size, raw.count(b"\n"), version, limits)
    try:
        text = rest.decode()
    except UnicodeDecodeError:
        raise StompProtocolError(ErrorCode.BAD_ENCODING, "Header lines are UTF-8, in every version") from None
    lines = text.split("\n") if rest else []
    if "\r" in text:
        lines = [_without_line_end(line, version) for line in lines]
    # CONNECT is never escaped, so that it reads the same before a version is known (STOMP 1.2, "Value Encoding").
    escapes = version if "\\" in text and command not in ("CONNECT", "STOMP") else None
    headers, receipt = _read_headers(lines, escapes, trimmed=version is Version.V1_0)
    if version is None and "accept-version" not in headers:
        headers = {name: value.lstrip(" ") for name, value in headers.items()}
    return Head(command, headers, receipt)


def _without_line_end(line: str, version: Version | None) -> str:
    """Take the CR of a CRLF off; any other has to be escaped in 1.2, and is an octet like others before."""
    line = line.removesuffix("\r")
    if "\r" in line and version not in (Version.V1_0, Version.V1_1):
        raise StompProtocolError(ErrorCode.BAD_HEADER, "A carriage return in a header line is written \\r")
    return line


def _read_headers(lines: list[str], escapes: Version | None, *, trimmed: bool) -> tuple[dict[str, str], bytes | None]:
    """Return the headers, and the receipt as it came.

    Args:
        lines: without their ends.
        escapes: the version whose escape sequences there may be in the lines; None if there are none.
        trimmed: spaces in front of a value do not belong to it, as in 1.0.
    """
    headers: dict[str, str] = {}
    receipt = None
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name:
            raise StompProtocolError(
                ErrorCode.BAD_HEADER, f"'{quote(line)}' is not a header: it has no name or no colon"
            )
        if trimmed:
            value = value.lstrip(" ")
        if name == "receipt" and receipt is None:
            receipt = value.encode()
        if escapes is not None:
            name, value = unescape(name, escapes), unescape(value, escapes)
        if name not in headers:
            headers[name] = value
    return headers, receipt


def _read_send(head: Head, limits: Limits) -> None:
    """Complete the head of a SEND: the one client's frame whose body counts, and may have a length."""
    headers = head.headers
    if "destination" not in headers:
        raise StompProtocolError(ErrorCode.MISSING_DESTINATION, "\"SEND\" must include a 'destination' header")
    head.body_bytes_max = limits.body_bytes_max
    if "content-length" in headers:
        head.length = _read_length(headers.pop("content-length"), limits)
    headers.pop("receipt", None)
    head.send = SendHead(headers, encode_block(headers.items()))


def _read_length(text: str, limits: Limits) -> int:
    # "+5", "-1", "1e9", "٣" and " 5" are no lengths, though int() takes some of them.
    if not (text.isascii() and text.isdigit()):
        raise StompProtocolError(
            ErrorCode.BAD_CONTENT_LENGTH, f"content-length is a number of octets, not '{quote(text)}'"
        )
    if len(text) > _LENGTH_DIGITS_MAX or int(text) > limits.body_bytes_max:
        raise StompProtocolError(ErrorCode.FRAME_TOO_LARGE, f"A body may have {limits.body_bytes_max} bytes")
    return int(text)


class HeadCache:
    """The heads of SEND frames that a connection repeats, by their octets.

    A *key* is a head without its `receipt` line, a *shape* a key without its `content-length` line: a producer whose
    bodies differ in size has one shape and many keys. Invariant: a key or a shape is here only after `read_head` has
    accepted exactly these octets, with or without one line each for `receipt` and `content-length` whose values are
    CLEAN and digits; both lines are counted against the limits. So whoever cuts such lines out and finds the rest here
    knows what `read_head` would say.

    A *family* is a shape without the value of the one line in which heads differ whose producer gives each message an
    id, a number or one of many groups (`IdentifiedHead`). It is here only after `read_head` has accepted one of them;
    values are CLEAN.

    Only what comes a second time is kept. A producer that puts a unique header into each message would else fill the
    cache with what nobody asks for again.

    Args:
        limits: how much may be kept, and how long a body may be.

    Attributes:
        exact: by key: the head, and its body's length or -1. To be read by the parser, which saves a call that way.
    """

    __slots__ = ("_bytes", "_families", "_last", "_limits", "_seen_once", "_shapes", "exact")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.exact: dict[bytes, tuple[SendHead, int]] = {}
        self._shapes: dict[bytes, SendHead] = {}
        self._families: dict[bytes, SharedHead] = {}
        # Of the family that came last: what stands before and behind the value, where it begins, what a value is, the
        # head, the length.
        self._last: tuple[bytes, bytes, int, _Matches, SharedHead, int] | None = None
        self._seen_once: set[int] = set()
        self._bytes = 0

    def by_shape(self, key: bytes) -> tuple[SendHead | IdentifiedHead, int] | None:
        """Return what `exact` would say, from the shape or the family; None if neither is known."""
        if self._last is not None:
            start, end, at, is_value, shared, length = self._last
            end_at = len(key) - len(end)
            # Slices: the methods that say the same take three times as long.
            if key[:at] == start and key[end_at:] == end and is_value(key[at:end_at]) is not None:
                return IdentifiedHead(shared, key[at:end_at]), length
        shape, length = _cut_length(key)
        head = self._shapes.get(shape)
        if head is None:
            return self._by_family(key, shape, length) if self._families else None
        if not 0 <= length <= self._limits.body_bytes_max:
            return None
        self._keep(key, head, length, 0)
        return head, length

    def remember(self, key: bytes, head: Head) -> None:
        """Keep a head that has been accepted, if it came before.

        Args:
            key: its octets without the `receipt` line; empty if it may not be kept.
            head: what they mean; the head of a SEND.
        """
        assert head.send is not None
        shape, _ = _cut_length(key)
        repeats = b"\nreceipt:" in shape or b"\ncontent-length:" in shape
        too_many = key.count(b"\n") + 2 > self._limits.header_count_max
        if shape and not repeats and not too_many and self._is_seen_again(shape):
            self._keep(key, head.send, head.length, _HEAD_BYTES + 2 * len(key) + _HEADER_BYTES * key.count(b"\n"))
            self._shapes[shape] = head.send
        elif shape and not repeats and not too_many:
            self._remember_family(shape, head.send)

    def clear(self) -> None:
        """Forget everything."""
        self.exact.clear()
        self._shapes.clear()
        self._families.clear()
        self._last = None
        self._seen_once.clear()
        self._bytes = 0

    def _by_family(self, key: bytes, shape: bytes, length: int) -> tuple[IdentifiedHead, int] | None:
        family, _, value = _cut_identity(shape)
        shared = self._families.get(family)
        if shared is None or length > self._limits.body_bytes_max:
            return None
        # The next one is most likely of the same family, and its body as long.
        start, _, rest = key.partition(b"\n%b:" % shared.name.encode())
        is_value = _is_number if shared.name == "sequence-id" else _is_clean
        start, end = key[: len(start) + len(shared.name) + 2], rest[len(value) :]
        self._last = start, end, len(start), is_value, shared, length
        return IdentifiedHead(shared, value), length

    def _remember_family(self, shape: bytes, head: SendHead) -> None:
        """Keep what a head has in common with others, if one of these came before."""
        headers = head.headers
        names: list[str] = [name for name in IDENTITY_NAMES if name in headers]
        if not names:
            names += [name for name in VARYING_NAMES if name in headers][:1]
        family, name, _ = _cut_identity(shape)
        if names != [name] or shape.count(b"\n%b:" % names[0].encode()) != 1:
            return
        if not _REWRITTEN.isdisjoint(headers):
            return
        if self._is_seen_again(family):
            size = _KEY_BYTES + _HEAD_BYTES + 3 * len(family) + _HEADER_BYTES * len(headers)
            self._make_room(size)
            self._families[family] = SharedHead(headers, names[0])
            self._bytes += size

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
        self._make_room(size)
        self.exact[key] = head, length
        self._bytes += size

    def _make_room(self, size: int) -> None:
        limits = self._limits
        heads = len(self.exact) + len(self._families)
        if heads >= limits.cached_heads_max or self._bytes + size > limits.cached_bytes_max:
            self.exact.clear()
            self._shapes.clear()
            self._families.clear()
            self._last = None
            self._bytes = 0


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
    if not digits.isdigit() or len(digits) > _LENGTH_DIGITS_MAX:
        return b"", -1
    return start + line_end + after, int(digits)


def _cut_identity(shape: bytes) -> tuple[bytes, str, bytes]:
    """Return a shape without the value of its line that tells messages apart, the name and the value; or nothing."""
    found = _identity_line(shape) or next((found for line in _varying_lines if (found := line(shape))), None)
    if found is None:
        return b"", "", b""
    start, end = found.span(2)
    value = found[2]
    if found[1] == b"sequence-id" and _is_number(value) is None:
        return b"", "", b""
    return shape[:start] + shape[end:], found[1].decode(), value
