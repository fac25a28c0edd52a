"""Every limit is met exactly, and before more than it is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segue.protocols.stomp.errors import ErrorCode
from segue.protocols.stomp.events import ERROR, FRAME, SEND, Event
from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.limits import FAST_HEAD_BYTES, Limits
from segue.protocols.stomp.parser import Parser
from tests.unit.protocols.stomp.wire import connect, feed, frame_of, send, the_error

SMALL = Limits(
    header_count_max=20,
    header_line_bytes_max=FAST_HEAD_BYTES,
    header_block_bytes_max=4 * FAST_HEAD_BYTES,
    body_bytes_max=5000,
    other_body_bytes_max=100,
    login_frame_bytes_max=200,
    held_bytes_max=300,
)
EITHER_WAY = pytest.mark.parametrize(
    "limits", [SMALL, replace(SMALL, cached_heads_max=0)], ids=["cached", "not cached"]
)
# Reads of every kind: whole, and so small that each limit is met on the way.
SIZES = pytest.mark.parametrize("size", [1, 7, 100, 100_000])


def in_reads(frame: bytes, size: int, limits: Limits) -> tuple[list[Event], int]:
    """The events of a frame that comes in reads of `size`, and the most that the parser held."""
    parser = connect(limits=limits)
    events: list[Event] = []
    held = 0
    for start in range(0, len(frame), size):
        events += parser.receive_data(frame[start : start + size])
        held = max(held, parser.bytes_held)
        if events and events[-1][0] == ERROR:
            break
    return events, held


def kinds(events: list[Event]) -> list[int]:
    return [event[0] for event in events]


@EITHER_WAY
@SIZES
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_longest_line_passes_and_one_octet_more_is_refused(line_end: str, size: int, limits: Limits) -> None:
    room = SMALL.header_line_bytes_max - len("k:") - len(line_end) + 1
    good = frame_of("BEGIN", "transaction:t", "k:" + "x" * room, line_end=line_end)
    assert kinds(in_reads(good, size, limits)[0]) == [FRAME]
    bad = frame_of("BEGIN", "transaction:t", "k:" + "x" * (room + 1), line_end=line_end)
    assert the_error(in_reads(bad, size, limits)[0]).code is ErrorCode.HEADER_TOO_LARGE


@EITHER_WAY
@SIZES
def test_the_largest_head_passes_and_one_octet_more_is_refused(size: int, limits: Limits) -> None:
    lines = ["destination:/queue/a", *[f"k{number}:{'x' * 900}" for number in range(4)]]
    room = SMALL.header_block_bytes_max - len("\n".join(["SEND", *lines, "z:"]))
    assert kinds(in_reads(frame_of("SEND", *lines, "z:" + "x" * room), size, limits)[0]) == [SEND]
    events, held = in_reads(frame_of("SEND", *lines, "z:" + "x" * (room + 1)), size, limits)
    assert the_error(events).code is ErrorCode.HEADER_TOO_LARGE
    assert held <= SMALL.header_block_bytes_max + 2


@EITHER_WAY
@SIZES
def test_the_greatest_number_of_headers_passes_and_one_more_is_refused(size: int, limits: Limits) -> None:
    lines = [f"k{number}:x" for number in range(SMALL.header_count_max)]
    assert kinds(in_reads(frame_of("BEGIN", *lines), size, limits)[0]) == [FRAME]
    assert the_error(in_reads(frame_of("BEGIN", *lines, "z:x"), size, limits)[0]).code is ErrorCode.HEADER_TOO_LARGE


@EITHER_WAY
def test_a_cached_head_does_not_let_one_more_header_in(limits: Limits) -> None:
    lines = ["destination:/queue/a", *[f"k{number}:x" for number in range(SMALL.header_count_max - 1)]]
    parser = connect(limits=limits)
    assert kinds(parser.receive_data(frame_of("SEND", *lines) * 5)) == [SEND] * 5
    assert kinds(parser.receive_data(frame_of("SEND", *lines, "receipt:1"))) == [ERROR]


@EITHER_WAY
@SIZES
def test_the_largest_body_passes_and_one_octet_more_is_refused(size: int, limits: Limits) -> None:
    body = b"x" * SMALL.body_bytes_max
    for length in ((), (f"content-length:{len(body)}",)):
        assert kinds(in_reads(send(*length, body=body), size, limits)[0]) == [SEND]
    for length in ((), (f"content-length:{len(body) + 1}",)):
        events, held = in_reads(send(*length, body=body + b"x"), size, limits)
        assert the_error(events).code is ErrorCode.FRAME_TOO_LARGE
        assert held <= SMALL.body_bytes_max


@EITHER_WAY
def test_a_cached_head_does_not_let_a_larger_body_in(limits: Limits) -> None:
    parser = connect(limits=limits)
    parser.receive_data((send() + send("content-length:0")) * 3)
    body = b"x" * (SMALL.body_bytes_max + 1)
    assert the_error(parser.receive_data(send(body=body))).code is ErrorCode.FRAME_TOO_LARGE


@SIZES
def test_the_body_of_another_frame_is_limited_too(size: int) -> None:
    assert kinds(in_reads(frame_of("BEGIN", "transaction:t", body=b"x" * 100), size, SMALL)[0]) == [FRAME]
    events, held = in_reads(frame_of("BEGIN", "transaction:t", body=b"x" * 101), size, SMALL)
    assert the_error(events).code is ErrorCode.FRAME_TOO_LARGE
    assert held <= 100


@SIZES
def test_before_the_login_a_whole_frame_is_small(size: int) -> None:
    head = b"CONNECT\naccept-version:1.2\n\n"
    for filler, kind in ((200 - len(head) + 2, FRAME), (200 - len(head) + 3, ERROR)):
        frame = head + b"x" * filler + b"\0"
        assert kinds(feed(Parser(SMALL), (frame[i : i + size] for i in range(0, len(frame), size)))) == [kind]


@SIZES
def test_before_the_login_a_head_is_small(size: int) -> None:
    for filler, kind in ((200 - len("CONNECT\nk:"), FRAME), (201 - len("CONNECT\nk:"), ERROR)):
        frame = frame_of("CONNECT", "k:" + "x" * filler)
        events = feed(Parser(SMALL), (frame[i : i + size] for i in range(0, len(frame), size)))
        assert kinds(events) == [kind]


def test_what_is_held_behind_connect_is_limited() -> None:
    parser = Parser(SMALL)
    assert kinds(parser.receive_data(b"CONNECT\n\n\0" + b"\n" * 300)) == [FRAME]
    assert parser.bytes_held == 300
    assert the_error(parser.receive_data(b"\n")).code is ErrorCode.FRAME_TOO_LARGE
    assert parser.bytes_held == 0
    assert parser.resume(Version.V1_2) == []


@SIZES
def test_fault_63_a_line_of_a_mebibyte_is_refused_at_the_limit(size: int) -> None:
    events, held = in_reads(b"SEND\ndestination:" + b"x" * (1 << 20), size, Limits())
    assert the_error(events).code is ErrorCode.HEADER_TOO_LARGE
    assert held <= Limits().header_line_bytes_max + len("SEND\n")


def test_fault_63_a_line_without_end_is_refused_in_the_read_that_passes_the_limit() -> None:
    parser = connect()
    assert parser.receive_data(b"SEND\ndestination:" + b"x" * 16_000) == []
    assert the_error(parser.receive_data(b"x" * 400)).code is ErrorCode.HEADER_TOO_LARGE


def test_fault_63_ten_thousand_headers_are_refused_at_the_limit() -> None:
    parser = connect()
    events: list[Event] = []
    lines = 0
    parser.receive_data(b"SEND\n")
    while not events:
        events = parser.receive_data(b"a:b\n")
        lines += 1
    assert the_error(events).code is ErrorCode.HEADER_TOO_LARGE
    assert lines == Limits().header_count_max + 1


def test_fault_63_no_nul_is_refused_at_the_limit() -> None:
    limits = Limits(body_bytes_max=100_000)
    parser = connect(limits=limits)
    assert parser.receive_data(send()[:-1] + b"x" * 100_000) == []
    assert parser.bytes_held == 100_000
    assert the_error(parser.receive_data(b"x")).code is ErrorCode.FRAME_TOO_LARGE


def test_limits_that_the_shortcut_could_not_keep_are_refused() -> None:
    with pytest.raises(ValueError, match="1024 bytes"):
        Limits(header_line_bytes_max=1000)
    with pytest.raises(ValueError, match="longest command"):
        Limits(command_bytes_max=5)
