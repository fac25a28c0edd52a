"""Where the body of a request ends, and what it is without its transfer coding (RFC 9112 §6 and §7). Sans-IO.

As with heads (framing.py), parsers are lenient in ways of their own about chunks: they take a bare LF, spaces behind a
size, any octet in an extension. So chunks are read here, whatever parser is behind, and it sees nothing of what stands
behind the end of a body.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from segue.protocols.http.errors import HttpError
from segue.protocols.http.framing import HEADER_LINE
from segue.protocols.http.limits import Limits

__all__ = ["ChunkedBody", "KnownLength", "TransferredBody", "body_of"]

_LINE_BYTES_MAX: Final = 256
"""Of a chunk's size and its extensions, which nobody needs: those that sign each chunk have 85."""
_CRLF: Final = b"\r\n"
# A size of 16 digits is beyond any limit.
_size_line: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n").match
_trailer_line: Final = re.compile(HEADER_LINE).match


class TransferredBody(Protocol):
    """The body of one request.

    Attributes:
        ended: it is whole.
    """

    ended: bool

    def read(self, data: bytes) -> tuple[bytes, int]:
        """Take what belongs to the body.

        Returns:
            What it is without its coding, and how many octets of `data` were taken; the rest is behind the body.

        Raises:
            HttpError: 400 or 431: it is none.
        """


def body_of(length: int | None, limits: Limits) -> TransferredBody:
    """For a head that says `length`; None for chunks."""
    return ChunkedBody(limits.head_bytes_max) if length is None else KnownLength(length)


class KnownLength:
    """See `TransferredBody`."""

    __slots__ = ("_missing", "ended")

    def __init__(self, length: int) -> None:
        self._missing = length
        self.ended = length == 0

    def read(self, data: bytes) -> tuple[bytes, int]:
        """See `TransferredBody`."""
        taken = data if len(data) <= self._missing else data[: self._missing]
        self._missing -= len(taken)
        self.ended = self._missing == 0
        return taken, len(taken)


class ChunkedBody:
    """See `TransferredBody`. What is not a whole line yet is kept, and is never more than a line may have."""

    __slots__ = ("_in_chunk", "_in_trailers", "_line", "_trailer_bytes_left", "ended")

    def __init__(self, trailer_bytes_max: int) -> None:
        """`trailer_bytes_max`: of the headers behind the last chunk, which nobody looks at."""
        self.ended = False
        self._line = b""
        self._in_chunk = 0  # octets that are missing, the CR LF behind the chunk included
        self._in_trailers = False
        self._trailer_bytes_left = trailer_bytes_max

    def read(self, data: bytes) -> tuple[bytes, int]:
        """See `TransferredBody`."""
        kept = len(self._line)
        data = self._line + data
        self._line = b""
        pieces: list[bytes] = []
        pos = 0
        while pos < len(data) and not self.ended:
            if self._in_chunk > len(_CRLF):
                piece = data[pos : pos + self._in_chunk - len(_CRLF)]
                pieces.append(piece)
                self._in_chunk -= len(piece)
                pos += len(piece)
            elif self._in_chunk:
                pos = self._pass_chunk_end(data, pos)
            else:
                pos = self._read_line(data, pos)
        return b"".join(pieces), pos - kept

    def _pass_chunk_end(self, data: bytes, pos: int) -> int:
        came = data[pos : pos + self._in_chunk]
        if came != _CRLF[-self._in_chunk :][: len(came)]:
            raise _bad_chunk("a chunk is not as long as it says")
        self._in_chunk -= len(came)
        return pos + len(came)

    def _read_line(self, data: bytes, pos: int) -> int:
        """Read the line at `pos`, or keep it until it is whole. Returns where it ends."""
        if not self._in_trailers:
            line = _size_line(data, pos)
            if line is None:
                return self._keep(data, pos, _LINE_BYTES_MAX)
            self._check_line(line.end() - pos, _LINE_BYTES_MAX)
            size = int(line[1], 16)
            self._in_chunk = size + len(_CRLF) if size else 0
            self._in_trailers = size == 0
            return line.end()
        if data.startswith(_CRLF, pos):
            self.ended = True
            return pos + len(_CRLF)
        line = _trailer_line(data, pos)
        if line is None:
            return self._keep(data, pos, self._trailer_bytes_left)
        self._trailer_bytes_left -= line.end() - pos
        self._check_line(0, self._trailer_bytes_left)
        return line.end()

    def _keep(self, data: bytes, pos: int, bytes_max: int) -> int:
        """Keep the beginning of a line, or refuse what is none."""
        line_end = data.find(b"\n", pos) + 1
        self._check_line((line_end or len(data)) - pos, bytes_max)
        if line_end:
            raise _bad_chunk("a line of it is no chunk's size and no header")
        self._line = data[pos:]
        return len(data)

    @staticmethod
    def _check_line(size: int, bytes_max: int) -> None:
        if size > bytes_max:
            raise HttpError(431, "chunk-head-too-large", "What stands between chunks is too much", closes=True)


def _bad_chunk(reason: str) -> HttpError:
    return HttpError(400, "bad-chunk", f"The body in chunks can't be read: {reason}", closes=True)
