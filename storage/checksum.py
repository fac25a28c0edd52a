"""CRC-32 of bytes whose parts were summed one by one, from the sums alone.

A large body is summed while it comes in, before it is known what stands in front of it in its record: to sum 16 MiB in
one go takes the event loop 5 ms.

Theory. A CRC is the remainder of a polynomial over GF(2), and remainders of sums add up. Bytes that follow multiply
what came before by a power of x, so the first sum is multiplied by x to the power of 8 for each byte of the second.
zlib has this as `crc32_combine`, which Python does not offer. Bits are reflected: x to the power of 0 is bit 31.
"""

from __future__ import annotations

from typing import Final

__all__ = ["crc32_joined"]

_POLYNOMIAL: Final = 0xEDB8_8320
_ONE: Final = 1 << 31
_X_TO_8: Final = 1 << 23


def crc32_joined(first: int, second: int, second_size: int) -> int:
    """The CRC-32 of two parts, one behind the other.

    Args:
        first: that of the first part.
        second: that of the second part.
        second_size: bytes in the second part.
    """
    factor, power, left = _ONE, _X_TO_8, second_size
    while left:
        if left & 1:
            factor = _times(factor, power)
        power = _times(power, power)
        left >>= 1
    return _times(first, factor) ^ second


def _times(a: int, b: int) -> int:
    """The product of two polynomials, as a remainder."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ _POLYNOMIAL if b & 1 else b >> 1
    return product
