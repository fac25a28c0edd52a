"""Heart-beats: the header and the arithmetic."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.heart_beat import RECEIVE_GRACE, HeartBeat, negotiate_heart_beat, read_heart_beat

MINIMUM, MAXIMUM = 1000, 3_600_000


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (None, (0, 0)),
        ("0,0", (0, 0)),
        ("1,1", (1, 1)),
        ("10000, 5000", (10_000, 5000)),
        ("1000000000000,0", (10**12, 0)),
    ],
)
def test_fault_67_a_header_is_two_numbers_of_milliseconds(text: str | None, pair: tuple[int, int]) -> None:
    assert read_heart_beat(text) == pair


@pytest.mark.parametrize(
    "text",
    ["", "0", "T,0", "3000,10,50", "-1,0", "1.5,0", "0,", ",", "٣,٣", "1e3,0", "9" * 5000 + ",0", "0x1,0", "0\n,0"],
)
def test_fault_67_anything_else_is_refused(text: str) -> None:
    with pytest.raises(StompProtocolError) as refused:
        read_heart_beat(text)
    assert refused.value.code is ErrorCode.BAD_HEART_BEAT


@pytest.mark.parametrize(
    ("client", "agreed"),
    [
        ((0, 0), HeartBeat(0, 0)),
        ((1, 1), HeartBeat(MINIMUM, MINIMUM)),
        ((5000, 0), HeartBeat(0, 5000)),
        ((0, 5000), HeartBeat(5000, 0)),
        ((10_000, 20_000), HeartBeat(20_000, 10_000)),
        ((10**12, 10**12), HeartBeat(MAXIMUM, 0)),
        ((MAXIMUM, MAXIMUM), HeartBeat(MAXIMUM, MAXIMUM)),
    ],
)
def test_fault_67_intervals_are_agreed_within_our_bounds(client: tuple[int, int], agreed: HeartBeat) -> None:
    assert negotiate_heart_beat(client, MINIMUM, MAXIMUM) == agreed


def test_a_peer_has_twice_its_interval() -> None:
    assert RECEIVE_GRACE == 2
