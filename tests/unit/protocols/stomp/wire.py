"""A client's octets, and a parser that has come as far as a test needs it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.events import ERROR, FRAME, Event
from segue.protocols.stomp.frames import Frame, Version
from segue.protocols.stomp.limits import Limits
from segue.protocols.stomp.parser import Parser

__all__ = ["comparable", "connect", "connect_frame", "feed", "frame_of", "parse", "send", "the_error", "the_frame"]

NOT_CACHED = Limits(cached_heads_max=0)


def connect_frame(version: Version) -> bytes:
    return b"CONNECT\naccept-version:%b\nhost:a\n\n\0" % version.text.encode()


def connect(version: Version = Version.V1_2, limits: Limits | None = None) -> Parser:
    """A parser behind the login."""
    parser = Parser(limits or Limits())
    (event,) = parser.receive_data(connect_frame(version))
    assert event[0] == FRAME
    assert parser.resume(version) == []
    return parser


def parse(data: bytes, version: Version = Version.V1_2, limits: Limits | None = None) -> list[Event]:
    """What a whole read means behind the login."""
    return connect(version, limits).receive_data(data)


def feed(parser: Parser, pieces: Iterable[bytes]) -> list[Event]:
    return [event for piece in pieces for event in parser.receive_data(piece)]


def frame_of(command: str, *lines: str, body: bytes = b"", line_end: str = "\n") -> bytes:
    head = "".join(f"{line}{line_end}" for line in (command, *lines))
    return head.encode() + line_end.encode() + body + b"\0"


def send(*lines: str, body: bytes = b"", destination: str = "/queue/a") -> bytes:
    return frame_of("SEND", f"destination:{destination}", *lines, body=body)


def the_frame(events: Sequence[Event]) -> Frame:
    """The one frame in `events`, and nothing else."""
    (event,) = events
    assert event[0] == FRAME, event
    return event[1]


def the_error(events: Sequence[Event]) -> StompProtocolError:
    """The error that `events` end with."""
    event = events[-1]
    assert event[0] == ERROR, event
    return event[1]


def comparable(events: Iterable[Event]) -> list[object]:
    """Events as values that are equal when the events mean the same."""
    return [error_fields(event[1]) if event[0] == ERROR else event for event in events]


def error_fields(failure: StompProtocolError) -> tuple[ErrorCode, str, bytes | None]:
    return failure.code, failure.body, failure.receipt_id
