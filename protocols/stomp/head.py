"""From the octets of a whole head to a command and headers, by all the rules.

Rules that differ by version are in escaping.py; here are those of the lines (STOMP 1.2, "Augmented BNF"): a line ends
with LF or CRLF, is split at its first colon, is UTF-8; the first of repeated headers wins. Brokers and clients take
CRLF and further colons in every version, so we do.
"""

from __future__ import annotations

import re
from typing import Final

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote
from segue.protocols.stomp.escaping import CLEAN, Version, unescape
from segue.protocols.stomp.frames import CLIENT_COMMANDS, SERVER_COMMANDS, SendHead, encode_block
from segue.protocols.stomp.limits import Limits

__all__ = ["LENGTH_DIGITS_MAX", "Head", "check_head_size", "read_command", "read_head"]

_receipt_line: Final = re.compile(rb"\nreceipt:(" + CLEAN + rb")\r?(?:\n|\Z)").search
_COMMANDS: Final = {command.encode(): command for command in CLIENT_COMMANDS | SERVER_COMMANDS}
# More digits than any limit has; a number of a million digits would take quadratic time to read.
LENGTH_DIGITS_MAX: Final = 18


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
    if len(text) > LENGTH_DIGITS_MAX or int(text) > limits.body_bytes_max:
        raise StompProtocolError(ErrorCode.FRAME_TOO_LARGE, f"A body may have {limits.body_bytes_max} bytes")
    return int(text)
