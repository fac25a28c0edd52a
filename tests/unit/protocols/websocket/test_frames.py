"""Frames as octets: heads, masks, and what goes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Ping, TextMessage

from segue.protocols.websocket.frames import PING, frame_control, frame_messages, read_head, unmask
from tests.unit.protocols.websocket.wire import client_frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_head_is_read_when_all_of_it_is_there(size: int) -> None:
    frame = client_frame(0x82, bytes(size))
    head_bytes = len(frame) - size
    assert [read_head(b"xx" + frame[:cut], 2) for cut in range(head_bytes)] == [None] * head_bytes
    head = read_head(b"xx" + frame, 2)
    assert head is not None
    assert (head.opcode, head.masked, head.size, head.payload_bytes) == (2, True, head_bytes, size)
    assert head.is_whole_message


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
    ],
)
def test_what_is_unusual_is_not_taken_for_a_whole_message(octets: bytes) -> None:
    head = read_head(octets, 0)
    assert head is not None
    assert not head.is_whole_message


@given(st.binary(max_size=40), st.binary(min_size=4, max_size=4))
def test_a_payload_comes_out_of_its_mask(payload: bytes, mask: bytes) -> None:
    assert unmask(client_frame(0x82, payload, mask)[6:], mask) == payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_each_message_is_a_frame_and_text_if_it_can_be(size: int) -> None:
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(b"".join(frame_messages([b"a" * size, b"\xff" * size, "ö".encode() * size])))
    events = list(client.events())
    assert [type(event) for event in events] == [TextMessage, BytesMessage if size else TextMessage, TextMessage]
    assert [event.data for event in events] == ["a" * size, b"\xff" * size or "", "ö" * size]  # type: ignore[attr-defined]


def test_a_control_frame_has_no_more_than_may_be_in_it() -> None:
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(frame_control(PING, b"x" * 200))
    assert list(client.events()) == [Ping(payload=b"x" * 125)]
