"""Runs of frames with the same head: the pattern may only ever say what the full reader says."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.events import SEND, SendEvent
from segue.protocols.stomp.frames import SendHead, Version
from segue.protocols.stomp.head import read_head
from segue.protocols.stomp.head_cache import cut_receipt
from segue.protocols.stomp.head_run import HeadRun, run_of
from segue.protocols.stomp.limits import Limits
from segue.protocols.stomp.parser import Parser
from tests.unit.protocols.stomp.wire import NOT_CACHED, connect, send

RAW = b"SEND\ndestination:/queue/a.b\ncontent-length:5\nreceipt:%b\nkind:a\\nb"


def run_for(raw: bytes) -> HeadRun:
    head = read_head(raw, Version.V1_2, Limits())
    assert head.send is not None
    start, cut, rest = raw.partition(b"\nreceipt:")
    run = run_of(raw, {cut_receipt(start, rest)[0] if cut else raw: head.send}, head.length)
    assert run is not None
    return run


def read(run: HeadRun, data: bytes, pos: int = 0) -> tuple[list[tuple[SendHead | object, bytes | None, bytes]], int]:
    """Head, receipt and body of each frame, and where it goes on."""
    events: list[SendEvent] = []
    after = run.read(data, pos, events.append)
    assert all(event[0] == SEND for event in events)
    return [event[1:] for event in events], after


def frame(receipt: bytes, body: bytes = b"hello", raw: bytes = RAW) -> bytes:
    return raw % receipt + b"\n\n" + body + b"\0"


def test_frames_that_differ_in_receipt_and_body_are_a_run() -> None:
    run = run_for(RAW % b"1")
    data = b"x" + frame(b"r:1") + frame(b"2", b"a\0\n\0b") + b"\n\0\r\n" + frame(b"3")
    assert read(run, data, 1) == (
        [(run.heads[0], b"r:1", b"hello"), (run.heads[0], b"2", b"a\0\n\0b"), (run.heads[0], b"3", b"hello")],
        len(data),
    )


def test_a_receipt_may_be_there_or_not_wherever_it_stands() -> None:
    for raw in (RAW % b"1", RAW.replace(b"\nreceipt:%b", b"")):
        run = run_for(raw)
        without = RAW.replace(b"\nreceipt:%b", b"") + b"\n\nhello\0"
        assert read(run, without + without) == ([(run.heads[0], None, b"hello")] * 2, 2 * len(without))


@pytest.mark.parametrize(
    "odd",
    [
        frame(b"", b"hello"), frame(b" 1"), frame(b"a\\cb"), frame(b"\xc3\xa9"), frame(b"1\r"), frame(b"9" * 256),
        frame(b"1", b"hell"), frame(b"1", b"hello!"), frame(b"1")[:-1], frame(b"1").replace(b"kind", b"kin"),
        frame(b"1").replace(b"a.b", b"a+b"), frame(b"1").replace(b"\n", b"\r\n"), b"ACK\nid:1\n\n\0", b"",
    ],
)  # fmt: skip
def test_whatever_is_not_exactly_such_a_frame_ends_the_run(odd: bytes) -> None:
    run = run_for(RAW % b"1")
    behind = b"" if odd == frame(b"1")[:-1] else frame(b"3")
    assert read(run, frame(b"2") + odd + behind) == ([(run.heads[0], b"2", b"hello")], len(frame(b"2"))) or not odd


def test_bodies_without_a_length_end_at_their_nul() -> None:
    run = run_for(b"SEND\ndestination:/queue/a")
    data = b"".join([b"SEND\ndestination:/queue/a\n\n" + b"x" * size + b"\0" for size in (0, 1, 999)])
    assert [body for _, _, body in read(run, data)[0]] == [b"", b"x", b"x" * 999]
    long = b"SEND\ndestination:/queue/a\n\n" + b"x" * 20_000 + b"\0"
    assert read(run, long) == ([], 0)


# In the parser ------------------------------------------------------------------------------------------------------


def frames(first: int, count: int = 100, *lines: str) -> bytes:
    numbers = range(first, first + count)
    return b"".join([send("content-length:3", f"receipt:{number}", *lines, body=b"abc") for number in numbers])


def head_of_run(parser: Parser) -> SendHead | None:
    run = parser._cache.run
    return None if run is None else run.heads[0]


def test_a_head_that_comes_again_and_again_is_a_run_from_the_next_read_on() -> None:
    parser = connect()
    parser.receive_data(frames(0))
    assert head_of_run(parser) is None
    events = parser.receive_data(frames(100))
    assert events == connect(limits=NOT_CACHED).receive_data(frames(100))
    assert events[0][1] is head_of_run(parser)


def test_another_head_ends_it_and_may_be_the_next_one() -> None:
    parser, plain = connect(), connect(limits=NOT_CACHED)
    for data in (frames(0), frames(100), frames(200, 2) + frames(0, 70, "x:y") + frames(202, 2), frames(0, 70, "x:y")):
        assert parser.receive_data(data) == plain.receive_data(data)
    assert head_of_run(parser) is None
    for first in (0, 70):
        assert parser.receive_data(frames(first, 70, "x:y")) == plain.receive_data(frames(first, 70, "x:y"))
    run = head_of_run(parser)
    assert run is not None
    assert run.headers["x"] == "y"


def test_a_run_that_is_cut_anywhere_is_the_same() -> None:
    data = frames(0, 3)
    for cut in range(1, len(data)):
        parser = connect()
        parser.receive_data(frames(0) + frames(0))
        parser.receive_data(frames(0))
        assert head_of_run(parser) is not None
        events = parser.receive_data(data[:cut]) + parser.receive_data(data[cut:])
        assert events == connect(limits=NOT_CACHED).receive_data(data)


def test_what_is_forgotten_is_no_run_any_more() -> None:
    parser = connect()
    parser.receive_data(frames(0))
    parser.receive_data(frames(0))
    parser.receive_data(b"")
    assert head_of_run(parser) is None


# Heads that take turns ----------------------------------------------------------------------------------------------


def turns(first: int, count: int = 100, *lines: str, of: int = 10) -> bytes:
    return b"".join([frames(number, 1, f"priority:{number % of}", *lines) for number in range(first, first + count)])


def heads_of_run(parser: Parser) -> list[str]:
    run = parser._cache.run
    return [] if run is None else sorted(head.headers["priority"] for head in run.heads)


@pytest.mark.parametrize("lines", [(), ("receipt-later:1",)])
def test_heads_that_take_turns_are_a_run(lines: tuple[str, ...]) -> None:
    parser, plain = connect(), connect(limits=NOT_CACHED)
    for first in (0, 100, 205):
        assert parser.receive_data(turns(first, 100, *lines)) == plain.receive_data(turns(first, 100, *lines))
    assert heads_of_run(parser) == list("0123456789")


def test_the_line_that_differs_may_stand_before_the_receipt_or_behind_it() -> None:
    line, receipt = b"destination:/queue/%d\n", b"receipt:%d\n"
    for lines in (line + receipt, receipt + line):
        data = b"".join([b"SEND\n" + lines % (number % 3, number % 3) + b"\n\0" for number in range(99)])
        parser = connect()
        for _ in range(3):
            assert parser.receive_data(data) == connect(limits=NOT_CACHED).receive_data(data)
        run = parser._cache.run
        assert run is not None
        assert len(run.heads) == 3


def test_a_head_that_did_not_take_turns_before_ends_the_run_and_joins_the_next() -> None:
    parser, plain = connect(), connect(limits=NOT_CACHED)
    for of in (3, 3, 3, 4):
        assert parser.receive_data(turns(0, of=of)) == plain.receive_data(turns(0, of=of))
    assert heads_of_run(parser) == []
    for _ in range(2):
        assert parser.receive_data(turns(0, of=4)) == plain.receive_data(turns(0, of=4))
    assert heads_of_run(parser) == list("0123")


@pytest.mark.parametrize("data", [turns(0, of=17), turns(0, 50) + turns(0, 50, "x:y")])
def test_too_many_heads_or_such_as_differ_in_more_are_no_run(data: bytes) -> None:
    parser, plain = connect(), connect(limits=NOT_CACHED)
    for _ in range(4):
        assert parser.receive_data(data) == plain.receive_data(data)
    assert parser._cache.run is None


def test_bodies_of_several_lengths_make_no_pattern_in_vain() -> None:
    data = b"".join([send(f"content-length:{size % 7}", body=b"x" * (size % 7)) for size in range(100)])
    parser = connect()
    for _ in range(4):
        parser.receive_data(data)
        assert parser._cache.run is None
