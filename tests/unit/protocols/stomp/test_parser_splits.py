"""However a client's octets are cut into reads, they mean the same."""

from __future__ import annotations

from zlib import crc32

import pytest

from segue.protocols.stomp.errors import ErrorCode
from segue.protocols.stomp.events import ERROR, LARGE_SEND, SEND, Event
from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.limits import Limits
from segue.protocols.stomp.parser import Parser
from tests.unit.protocols.stomp.wire import NOT_CACHED, comparable, connect, feed, frame_of, send, the_error

CONVERSATION = b"".join(
    [
        send("content-length:5", "receipt:1", body=b"a\0b\n\n"),
        b"\n",
        send("content-length:5", "receipt:2", body=b"a\0b\n\n"),
        b"\r\n",
        send("content-length:5", "receipt:m-3", body=b"\0\0\0\0\0"),
        send("key:a\\nb\\cc", "receipt:4", body=b"to the NUL\r\n\r\n"),
        frame_of("SEND", "destination:/queue/b", "content-length:4", body=b"\r\n\r\n", line_end="\r\n"),
        frame_of("ACK", "id:a-1"),
        frame_of("ACK", "id:a-2", "receipt:5"),
        b"\n",
        frame_of("ACK", "id:a-3", "transaction:t", "content-length:77"),
        frame_of("SUBSCRIBE", "id:caf\u00e9", "destination:/topic/a.#", line_end="\r\n"),
        frame_of("DISCONNECT", "receipt:6"),
    ]
)
EITHER_WAY = pytest.mark.parametrize("limits", [Limits(), NOT_CACHED], ids=["cached", "not cached"])


def expected() -> list[Event]:
    events = connect().receive_data(CONVERSATION)
    assert len(events) == 10
    assert events[-1][0] != ERROR
    return events


@EITHER_WAY
def test_a_split_at_every_octet_changes_nothing(limits: Limits) -> None:
    whole = expected()
    for cut in range(len(CONVERSATION) + 1):
        pieces = [piece for piece in (CONVERSATION[:cut], CONVERSATION[cut:]) if piece]
        assert feed(connect(limits=limits), pieces) == whole, CONVERSATION[:cut]


@EITHER_WAY
@pytest.mark.parametrize("size", range(1, 24))
def test_reads_of_any_size_change_nothing(size: int, limits: Limits) -> None:
    pieces = [CONVERSATION[start : start + size] for start in range(0, len(CONVERSATION), size)]
    assert feed(connect(limits=limits), pieces) == expected()


def test_a_split_of_the_login_at_every_octet_changes_nothing() -> None:
    login = b"\r\nCONNECT\r\naccept-version:1.2\r\nhost:a\r\n\r\n\0\n"
    data = login + CONVERSATION
    for cut in range(1, len(data)):
        parser = Parser(Limits())
        connected, *early = feed(parser, (data[:cut], data[cut:]))
        assert connected[0] != ERROR
        assert early == []
        assert parser.resume(Version.V1_2) == expected(), data[:cut]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"NOSUCH\nreceipt:1\n\n\0", ErrorCode.BAD_COMMAND),
        (b"BEGIN\ntransaction:a\\tb\n\n\0", ErrorCode.BAD_ESCAPE),
        (b"BEGIN\ntransaction:\xff\n\n\0", ErrorCode.BAD_ENCODING),
        (b"BEGIN\ntransaction\n\n\0", ErrorCode.BAD_HEADER),
        (b"SEND\ndestination:a\ncontent-length:x\n\n\0", ErrorCode.BAD_CONTENT_LENGTH),
        (b"SEND\ndestination:a\ncontent-length:1\n\nabc\0", ErrorCode.BAD_CONTENT_LENGTH),
        (b"SEND\ncontent-type:a\n\n\0", ErrorCode.MISSING_DESTINATION),
        (b"SEND\ndestination:a\n\0\n\n\0", ErrorCode.BAD_FRAME),
    ],
)
def test_an_error_comes_out_wherever_the_bad_frame_is_split(bad: bytes, code: ErrorCode) -> None:
    data = send("receipt:1") + bad
    for cut in range(1, len(data)):
        events = feed(connect(), (data[:cut], data[cut:]))
        assert [event[0] for event in events] == [SEND, ERROR]
        assert the_error(events).code is code


@EITHER_WAY
def test_a_body_of_many_reads_is_put_together(limits: Limits) -> None:
    body = bytes(range(256)) * 4000
    frame = send(f"content-length:{len(body)}", "receipt:1", body=body) + send("receipt:2")
    events = feed(connect(limits=limits), (frame[start : start + 65536] for start in range(0, len(frame), 65536)))
    assert [event[3] for event in events if event[0] == SEND] == [body, b""]


@EITHER_WAY
@pytest.mark.parametrize("size", [1 << 20, (2 << 20) + 17])
@pytest.mark.parametrize("read_bytes", [10_000, 65536, 100_000])
def test_a_large_body_comes_in_pieces_with_its_checksum(size: int, read_bytes: int, limits: Limits) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    frame = send(f"content-length:{size}", "receipt:1", body=body) + send("receipt:2")
    reads = [frame[start : start + read_bytes] for start in range(0, len(frame), read_bytes)]
    large, small = feed(connect(limits=limits), reads)
    assert large[0] == LARGE_SEND
    assert large[1].destination == "/queue/a"
    assert large[2] == b"1"
    assert (b"".join(large[3].pieces), large[3].size, large[3].crc) == (body, size, crc32(body))
    assert small[:1] + small[2:] == (SEND, b"2", b"")


@EITHER_WAY
def test_a_body_of_many_reads_may_end_at_a_nul(limits: Limits) -> None:
    body = bytes(range(1, 256)) * 4000
    frame = send("receipt:1", body=body) + send("receipt:2")
    events = feed(connect(limits=limits), (frame[start : start + 65536] for start in range(0, len(frame), 65536)))
    assert [event[3] for event in events if event[0] == SEND] == [body, b""]


def test_a_cut_within_the_blank_line_does_not_turn_a_long_body_into_header_lines() -> None:
    body = b"x" * 200_000
    frame = frame_of("SEND", "destination:/queue/a", f"content-length:{len(body)}", body=body, line_end="\r\n")
    body_start = len(frame) - len(body) - 1
    for cut in range(body_start - 4, body_start + 1):
        pieces = [
            frame[:cut],
            frame[cut:body_start],
            *(frame[at : at + 1000] for at in range(body_start, len(frame), 1000)),
        ]
        (event,) = feed(connect(), [piece for piece in pieces if piece])
        assert event[0] == SEND
        assert event[3] == body


def test_heads_that_are_cut_again_and_again_are_counted_one_by_one() -> None:
    parser = connect(limits=Limits(header_count_max=20))
    frame = frame_of("BEGIN", "transaction:t", "a:1", "b:2")
    for _ in range(50):
        assert feed(parser, [frame[:18], frame[18:25]]) == []
        assert len(parser.receive_data(frame[25:])) == 1


def test_a_body_is_collected_without_setting_its_length_aside() -> None:
    parser = connect()
    parser.receive_data(send("content-length:16000000")[:-1] + b"x" * 10)
    assert parser.bytes_held == 10
    parser.receive_data(b"y" * 5)
    assert parser.bytes_held == 15


def test_comparable_events_tell_errors_apart() -> None:
    first = comparable(feed(connect(), [b"NOSUCH\n"]))
    assert first == comparable(feed(connect(), [b"NOSUCH\n"]))
    assert first != comparable(feed(connect(), [b"OTHER\n"]))
