"""Bodies as they are transferred: where they end, and what is refused."""

from __future__ import annotations

import pytest

from segue.protocols.http.errors import HttpError
from segue.protocols.http.limits import Limits
from segue.protocols.http.transfer import ChunkedBody, KnownLength, TransferredBody, body_of

CHUNKED = b'3\r\nhel\r\n002;x=y;z="\xc3\xa4"\r\nlo\r\n0;end\r\nT: 1\r\nEmpty:\r\n\r\n'


def read(body: TransferredBody, *pieces: bytes) -> tuple[bytes, bytes]:
    """What the body is, and what stands behind it."""
    found = []
    for number, piece in enumerate(pieces):
        data, taken = body.read(piece)
        found.append(data)
        if body.ended:
            return b"".join(found), piece[taken:] + b"".join(pieces[number + 1 :])
        assert taken == len(piece)
    return b"".join(found), b""


@pytest.mark.parametrize(("wire", "length"), [(CHUNKED, None), (b"hello", 5)])
def test_a_body_ends_where_it_ends_however_it_is_cut(wire: bytes, length: int | None) -> None:
    for first in range(len(wire)):
        for second in range(first, len(wire)):
            body = body_of(length, Limits())
            pieces = wire[:first], wire[first:second], wire[second:] + b"GET /next"
            assert read(body, *pieces) == (b"hello", b"GET /next")
            assert body.ended


def test_no_body_has_ended_before_anything_has_come() -> None:
    assert KnownLength(0).ended
    assert not ChunkedBody(100).ended


def test_a_body_that_is_not_whole_has_not_ended() -> None:
    for wire, length in ((CHUNKED, None), (b"hello", 5)):
        body = body_of(length, Limits())
        read(body, wire[:-1])
        assert not body.ended


@pytest.mark.parametrize(
    "wire",
    [
        b"3\nhel\r\n0\r\n\r\n", b"3\r\nhel\n0\r\n\r\n", b"3\r\nhel\r\n0\n\r\n", b"3\r\nhel\r\n0\r\n\n",
        b"3\r\nhell\r\n0\r\n\r\n", b"3\r\nhe\r\n0\r\n\r\n", b"3;a\n=b\r\nhel\r\n", b"3;a\r=b\r\nhel\r\n",
        b"3;\0\r\nhel\r\n", b"3 \r\nhel\r\n", b" 3\r\nhel\r\n", b"3 ;a\r\nhel\r\n", b"+3\r\nhel\r\n", b"-3\r\nhel\r\n",
        b"0x3\r\nhel\r\n", b"\r\nhel\r\n", b"g\r\n", b"3_0\r\n", b"1" + b"0" * 16 + b"\r\n",
        b"0\r\nno colon\r\n\r\n", b"0\r\nA : b\r\n\r\n", b"0\r\nA: b\r\n c\r\n\r\n", b"0\r\nA: b\n\r\n",
        b"0\r\nA: \0\r\n\r\n", b"0\r\nGET / HTTP/1.1\r\n\r\n",
    ],
)  # fmt: skip
def test_what_may_be_read_in_two_ways_is_refused(wire: bytes) -> None:
    """Fault 80."""
    for size in (1, 2, len(wire)):
        body = ChunkedBody(1000)
        with pytest.raises(HttpError) as refused:
            read(body, *[wire[at : at + size] for at in range(0, len(wire), size)])
        assert (refused.value.status, refused.value.code, refused.value.closes) == (400, "bad-chunk", True)


@pytest.mark.parametrize(
    "wire",
    [
        b"3;" + b"x" * 255 + b"\r\n", b"3;" + b"x" * 1000, b"3" * 1000,
        b"0\r\n" + b"A: b\r\n" * 20, b"0\r\nA: " + b"b" * 200, b"0\r\nA: " + b"b" * 100 + b"\r\n",
    ],
)  # fmt: skip
def test_no_more_is_kept_than_a_line_may_have(wire: bytes) -> None:
    for size in (1, len(wire)):
        body = ChunkedBody(100)
        with pytest.raises(HttpError) as refused:
            read(body, *[wire[at : at + size] for at in range(0, len(wire), size)])
        assert (refused.value.status, refused.value.closes) == (431, True)


def test_a_size_is_believed_only_as_far_as_octets_have_come() -> None:
    body = ChunkedBody(100)
    assert read(body, b"f" * 16 + b"\r\nhello") == (b"hello", b"")
    assert not body.ended
