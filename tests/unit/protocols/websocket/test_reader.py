"""What clients send, taken apart; held against wsproto, which sees all of it where the reader opens most by itself."""

from __future__ import annotations

import gc

import pytest
import wsproto.events
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from segue.protocols.websocket.reader import Closing, Control, Event, MessageReader, Violation
from tests.unit.protocols.websocket.wire import client_frame

LARGE = 1 << 62
BINARY, TEXT, PING, PONG = 0x82, 0x81, 0x89, 0x8A
FIRST_OCTETS = [BINARY, TEXT, PING, PONG, 0x80, 0x00, 0x01, 0x02, 0x88, 0x83, 0xC2, 0xA1]
PAYLOADS = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=6).map(str.encode),
    st.sampled_from([b"", b"x" * 125, b"x" * 126, b"\x03\xe8", b"\x03\xe8bye", b"\xc3", b"\xed\xa0\x80"]),
)
FRAMES = st.lists(st.builds(client_frame, st.sampled_from(FIRST_OCTETS), PAYLOADS), max_size=8)
CUTS = st.lists(st.integers(1, 30), max_size=20)
REST = b"\0" * 14
"""Completes any head, and is no frame that a client may send."""


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    cut = []
    for size in sizes:
        cut.append(data[:size])
        data = data[size:]
    return [*cut, data]


def read(reader: MessageReader, *reads: bytes) -> list[Event]:
    events: list[Event] = []
    for data in reads:
        reader.receive(data)
        events += reader.read()
        while reader.more:
            events += reader.read()
    return events


def summary(events: list[Event]) -> tuple[bytes, list[Event]]:
    """The payload, and everything else; of violations the code."""
    payload = b"".join([event for event in events if isinstance(event, bytes)])
    others = [event for event in events if not isinstance(event, bytes)]
    return payload, [Violation(one.code, "") if isinstance(one, Violation) else one for one in others]


def asked_of_wsproto(reads: list[bytes]) -> list[Event]:
    """The same from wsproto alone."""
    server = Connection(ConnectionType.SERVER)
    events: list[Event] = []
    for data in reads:
        if not (events and isinstance(events[-1], Closing | Violation)):
            server.receive_data(data)
            events += [translated(event, server.state) for event in server.events()]
    return events


def translated(event: wsproto.events.Event, state: ConnectionState) -> Event:
    if isinstance(event, TextMessage):
        return event.data.encode()
    if isinstance(event, BytesMessage):
        return bytes(event.data)
    if isinstance(event, Ping | Pong):
        return Control(bytes(event.payload) if isinstance(event, Ping) else None)
    assert isinstance(event, CloseConnection)
    if state is ConnectionState.REMOTE_CLOSING:
        return Closing(int(event.code))
    return Violation(int(event.code), "")


@given(FRAMES, CUTS)
@example(
    [client_frame(TEXT, b"a"), client_frame(0x01, b"\xc3"), client_frame(PING, b"x"), client_frame(0x80, b"\xb6")], []
)
def test_it_finds_what_wsproto_finds_however_the_octets_are_cut(frames: list[bytes], sizes: list[int]) -> None:
    reads = pieces(b"".join(frames) + REST, sizes)
    assert summary(read(MessageReader(LARGE), *reads)) == summary(asked_of_wsproto(reads))


@given(st.binary(max_size=60), CUTS)
def test_random_octets_are_what_wsproto_says_that_they_are(data: bytes, sizes: list[int]) -> None:
    reads = pieces(data + REST, sizes)
    assert summary(read(MessageReader(LARGE), *reads)) == summary(asked_of_wsproto(reads))


@pytest.mark.parametrize(
    "octets",
    [
        b"\x82\xff" + (1 << 62).to_bytes(8, "big") + bytes(4),
        b"\x82\xff" + (1 << 63).to_bytes(8, "big") + bytes(4),
        b"\x02\xfe\x03\xe9" + bytes(4),
        client_frame(0x02, b"x" * 600) + client_frame(0x00, b"x" * 400) + b"\x80\x81" + bytes(4),
    ],
)
def test_what_is_too_large_is_refused_by_its_head(octets: bytes) -> None:
    events = read(MessageReader(1000), octets)
    assert isinstance(events[-1], Violation)
    assert events[-1].code == 1009


def test_each_message_is_measured_by_itself() -> None:
    octets = client_frame(BINARY, b"x" * 1000) + client_frame(0x02, b"x" * 999) + client_frame(0x80, b"x")
    assert summary(read(MessageReader(1000), octets * 3)) == (b"x" * 6000, [])


def test_a_large_frame_is_handed_on_as_it_comes() -> None:
    reader = MessageReader(LARGE)
    frame = client_frame(BINARY, bytes(range(256)) * 1000)
    for start in range(0, len(frame), 10_000):
        piece = frame[start : start + 10_000]
        payload, rest = summary(read(reader, piece))
        assert len(piece) - 14 <= len(payload) <= len(piece)
        assert rest == []


def test_a_read_with_very_many_frames_takes_several_turns() -> None:
    reader = MessageReader(LARGE)
    reader.receive(client_frame(BINARY, b"x") * 10_000)
    turns = [reader.read()]
    while reader.more:
        turns.append(reader.read())
    assert len(turns) > 10
    assert sum(map(len, turns)) == 10_000


@pytest.mark.parametrize(
    ("octets", "reason"), [(client_frame(TEXT, b"\xff"), "A text is not UTF-8"), (b"\x82\x00", "unmasked")]
)
def test_what_is_wrong_is_said_in_words(octets: bytes, reason: str) -> None:
    (violation,) = read(MessageReader(LARGE), octets)
    assert isinstance(violation, Violation)
    assert reason in violation.reason


def test_nothing_is_read_behind_the_end() -> None:
    reader = MessageReader(LARGE)
    close = client_frame(0x88, b"\x03\xe8")
    assert read(reader, close + client_frame(BINARY, b"x"), client_frame(BINARY, b"y")) == [Closing(1000)]
    assert not reader.more


@pytest.mark.parametrize("frames", [client_frame(BINARY, b"x") * 3, client_frame(PING, b"x") + client_frame(0x88, b"")])
def test_a_reader_leaves_nothing_for_the_garbage_collector(frames: bytes) -> None:
    gc.collect()
    gc.disable()
    try:
        read(MessageReader(LARGE), frames)
        assert gc.collect() == 0
    finally:
        gc.enable()
