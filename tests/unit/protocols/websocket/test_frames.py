"""Frames as octets: heads, masks, and what goes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Ping, TextMessage

from segue.protocols.websocket.frames import (
    PING,
    frame_control,
    frame_messages,
    is_utf8,
    open_messages,
    read_head,
    unmask,
)
from tests.unit.protocols.websocket.wire import client_frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_head_is_read_when_all_of_it_is_there(size: int) -> None:
    frame = client_frame(0x82, bytes(size))
    head_bytes = len(frame) - size
    assert [read_head(b"xx" + frame[:cut], 2) for cut in range(head_bytes)] == [None] * head_bytes
    head = read_head(b"xx" + frame, 2)
    assert head is not None
    assert head == (2, head_bytes, size)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x02\x80" + bytes(4),  # more comes
        b"\x80\x80" + bytes(4),
        b"\xc2\x80" + bytes(4),
        b"\x89\x80" + bytes(4),
        b"\x82\x00",
        b"\x82\xfe\x00\x7d" + bytes(4),
        b"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff" + bytes(4),
        client_frame(0x81, b"\xff"),
        client_frame(0x82, bytes(1001)),
        client_frame(0x82, bytes(65_536)),
    ],
)
def test_messages_are_opened_up_to_the_first_that_is_not_simple(octets: bytes) -> None:
    simple = client_frame(0x81, "größer".encode()) + client_frame(0x82, b"\xff" * 300)
    opened = ["größer".encode(), b"\xff" * 300]
    assert open_messages(b"xx" + simple + octets + simple, 2, 10, 1000) == (opened, 2 + len(simple))


def test_no_more_and_no_larger_messages_are_opened_than_allowed() -> None:
    frame = client_frame(0x82, b"x" * 100)
    assert open_messages(frame * 5, 0, 3, 100) == ([b"x" * 100] * 3, 3 * len(frame))
    assert open_messages(frame * 5, 0, 3, 99) == ([], 0)


def test_a_message_that_is_not_whole_stays() -> None:
    frame = client_frame(0x82, b"x" * 200)
    for cut in range(len(frame)):
        assert open_messages(frame + frame[:cut], 0, 10, 1000) == ([b"x" * 200], len(frame))


@given(st.one_of(st.binary(max_size=40), st.binary(min_size=390, max_size=410)), st.binary(min_size=4, max_size=4))
def test_a_payload_comes_out_of_its_mask(payload: bytes, mask: bytes) -> None:
    masked = bytes(octet ^ mask[at % 4] for at, octet in enumerate(payload))
    assert unmask(masked, mask) == payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_each_message_is_a_frame_and_text_if_it_can_be(size: int) -> None:
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(b"".join(frame_messages([b"a" * size, b"\xff" * size, "ö".encode() * size])))
    events = list(client.events())
    assert [type(event) for event in events] == [TextMessage, BytesMessage if size else TextMessage, TextMessage]
    assert [event.data for event in events] == ["a" * size, b"\xff" * size or "", "ö" * size]  # type: ignore[attr-defined]


@pytest.mark.parametrize("before", [0, 1, 65_534, 65_535, 65_536, 200_000])
def test_a_message_of_any_size_is_text_if_all_of_it_is_utf8(before: int) -> None:
    assert is_utf8(b"x" * before + "ö".encode())
    assert is_utf8("ö".encode() * (before // 2) + b"x")
    assert not is_utf8(b"x" * before + "ö".encode()[:1])
    assert not is_utf8(b"x" * before + b"\xff" + b"x" * 100_000)
    assert not is_utf8(b"x" * before + b"\xed\xa0\x80")  # half of a pair


def test_a_control_frame_has_no_more_than_may_be_in_it() -> None:
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(frame_control(PING, b"x" * 200))
    assert list(client.events()) == [Ping(payload=b"x" * 125)]
