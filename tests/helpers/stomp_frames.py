"""STOMP frames as a client sees them: an encoder and a strict reader, written from the specification alone.

Nothing here is shared with the broker's own parser, so that a misreading in one is not hidden by the same misreading in
the other. The reader is strict about what a server may send: it names what is wrong instead of repairing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["BadFrame", "Frame", "FrameReader", "encode_frame"]

_ESCAPES = {
    "1.0": {},
    "1.1": {"\\": "\\\\", "\n": "\\n", ":": "\\c"},
    "1.2": {"\\": "\\\\", "\n": "\\n", ":": "\\c", "\r": "\\r"},
}
# "CONNECT and CONNECTED do not escape, to remain compatible with 1.0" (STOMP 1.2, Value Encoding).
_NEVER_ESCAPED = frozenset({"CONNECT", "CONNECTED", "STOMP"})
_SERVER_COMMANDS = frozenset({"CONNECTED", "MESSAGE", "RECEIPT", "ERROR"})


class BadFrame(AssertionError):
    """The server sent bytes that the protocol does not allow."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, its headers in the order of the wire, values decoded."""

    command: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """Return the first of the headers with this name, or None."""
        return next((value for key, value in self.headers if key == name), None)

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(f"{self.command} has no header {name!r}: {self.headers}")
        return value

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None


def encode_frame(
    command: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", *, version: str = "1.2"
) -> bytes:
    """Encode a client's frame; nothing is added, not even `content-length`."""
    escapes = {} if command in _NEVER_ESCAPED else _ESCAPES[version]
    lines = [command]
    lines += [f"{_escape(name, escapes)}:{_escape(value, escapes)}" for name, value in headers]
    return "\n".join(lines).encode() + b"\n\n" + body + b"\0"


def _escape(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)


class FrameReader:
    """Cuts a server's bytes into frames.

    `end_of_lines` counts the lone LFs between frames: a heart-beat is one of them.
    """

    def __init__(self) -> None:
        self.version = "1.2"
        self.end_of_lines = 0
        self._buffer = bytearray()

    @property
    def pending(self) -> bytes:
        """What has arrived and is not a whole frame."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while True:
            self._skip_end_of_lines()
            frame = self._take_frame()
            if frame is None:
                return
            yield frame

    def _skip_end_of_lines(self) -> None:
        rest = self._buffer.lstrip(b"\n")
        self.end_of_lines += len(self._buffer) - len(rest)
        self._buffer = rest

    def _take_frame(self) -> Frame | None:
        head_end = self._buffer.find(b"\n\n")
        if head_end < 0:
            return None
        command, headers = self._parse_head(bytes(self._buffer[:head_end]))
        body_start = head_end + 2
        body_end = self._find_body_end(command, headers, body_start)
        if body_end is None:
            return None
        body = bytes(self._buffer[body_start:body_end])
        del self._buffer[: body_end + 1]
        return Frame(command, headers, body)

    def _find_body_end(self, command: str, headers: tuple[tuple[str, str], ...], start: int) -> int | None:
        lengths = [value for name, value in headers if name == "content-length"]
        if not lengths:
            if command == "MESSAGE":
                raise BadFrame(f"MESSAGE without content-length: {headers}")
            end = self._buffer.find(b"\0", start)
            return None if end < 0 else end
        end = start + int(lengths[0])
        if len(self._buffer) <= end:
            return None
        if self._buffer[end] != 0:
            raise BadFrame(f"no NUL after the {lengths[0]} octets that {command} announces")
        return end

    def _parse_head(self, head: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
        command, *lines = head.decode("utf-8", "strict").split("\n")
        if command not in _SERVER_COMMANDS:
            raise BadFrame(f"not a server's command: {command[:80]!r}")
        return command, tuple(self._parse_header(command, line) for line in lines)

    def _parse_header(self, command: str, line: str) -> tuple[str, str]:
        name, colon, value = line.partition(":")
        if not colon or not name:
            raise BadFrame(f"{command} has a header line without a name or a colon: {line!r}")
        if command in _NEVER_ESCAPED:
            return name, value
        if self.version != "1.0" and ":" in value:
            raise BadFrame(f"{command} has a colon that is not escaped: {line!r}")
        return self._unescape(name), self._unescape(value)

    def _unescape(self, text: str) -> str:
        if "\\" not in text:
            return text
        backwards = {escape[1]: plain for plain, escape in _ESCAPES[self.version].items()}
        if not backwards:
            return text
        out: list[str] = []
        characters = iter(text)
        for character in characters:
            if character != "\\":
                out.append(character)
                continue
            escape = next(characters, "")
            if escape not in backwards:
                raise BadFrame(f"undefined escape \\{escape} in {text!r}")
            out.append(backwards[escape])
        return "".join(out)
