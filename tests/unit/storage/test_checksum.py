"""Checksums of parts make the checksum of the whole."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.storage.checksum import crc32_joined

__all__: list[str] = []


@given(st.binary(max_size=200), st.binary(max_size=2000))
def test_two_checksums_make_that_of_both_parts_joined(first: bytes, second: bytes) -> None:
    assert crc32_joined(crc32(first), crc32(second), len(second)) == crc32(first + second)


@pytest.mark.parametrize("size", [0, 1, 255, 256, (1 << 20) - 1, 1 << 20, (16 << 20) + 17])
def test_the_second_part_may_be_large(size: int) -> None:
    second = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert crc32_joined(crc32(b"a head"), crc32(second), size) == crc32(second, crc32(b"a head"))
