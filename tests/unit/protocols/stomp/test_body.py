"""A body that comes in more than one read."""

from __future__ import annotations

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from segue.protocols.stomp.body import LARGE_BODY_BYTES, UnfinishedBody

__all__: list[str] = []


def gather(reads: list[bytes]) -> UnfinishedBody:
    body = UnfinishedBody()
    for read in reads:
        body.add(read)
    return body


@given(st.lists(st.sampled_from([1, 999, 65_535, 65_536, 262_144]).map(lambda size: bytes([size % 251]) * size)))
def test_it_is_the_same_in_pieces_as_joined(reads: list[bytes]) -> None:
    whole = b"".join(reads)
    assert len(gather(reads)) == len(whole)
    body = gather(reads)
    assert body.take() == whole
    assert len(body) == 0
    for read in reads:
        body.add(read)
    large = body.take_in_pieces()
    assert len(body) == 0
    assert (b"".join(large.pieces), large.size, large.crc) == (whole, len(whole), crc32(whole))


def test_single_octets_are_kept_in_pieces_of_many() -> None:
    large = gather([b"x"] * 200_000).take_in_pieces()
    assert len(large.pieces) == 4


def test_large_reads_are_kept_as_they_came() -> None:
    read = bytes(256 << 10)
    large = gather([read] * (LARGE_BODY_BYTES // len(read))).take_in_pieces()
    assert all(piece is read for piece in large.pieces)
