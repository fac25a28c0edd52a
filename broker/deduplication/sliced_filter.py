"""A filter that says in which of 64 sets a digest may be: 64 Bloom filters side by side, asked all at once.

Theory of operation. A Bloom filter is a row of bits; a digest names six of them, which are set when it is added, and it
may be in the set only if all six are. Here each place in the row is a word of 64 bits, one for each set; so the words
of the six places, and-ed, have the bits of just those sets that may hold the digest. A digest that is in none costs two
or three look-ups, whether there is one set or 64. The digests are uniformly distributed: slices of them are the places.

A set of `ids_max` digests that fill a row of 64 places each takes 8 bytes a digest, and claims one that it does not
hold in one of two million cases.
"""

from __future__ import annotations

from array import array
from typing import Final

from segue.broker.deduplication.entries import ID_BYTES

__all__ = ["SETS_MAX", "SlicedFilter"]

SETS_MAX: Final = 64
_PLACES_FOR_EACH: Final = 64
_SLICES: Final = 6


class SlicedFilter:
    """See the module.

    Args:
        ids_max: about how many digests a set will have; a power of two, at most 16,384 (six slices of 20 bits).
    """

    __slots__ = ("_mask", "_shift", "_words")

    def __init__(self, ids_max: int) -> None:
        places = ids_max * _PLACES_FOR_EACH
        assert places & (places - 1) == 0
        self._mask = places - 1
        self._shift = places.bit_length() - 1
        assert self._shift * _SLICES <= 128
        self._words = array("Q", [0]) * places

    @property
    def memory_bytes(self) -> int:
        """What it takes, full or empty."""
        return 8 * (self._mask + 1)

    def add(self, which: int, body: bytes, start: int) -> None:
        """Put the digests of an entry into a set; `start`: where in `body` its first id stands."""
        words, mask, shift = self._words, self._mask, self._shift
        second, third, fourth, fifth = (times * shift for times in range(2, _SLICES))
        bit = 1 << which
        from_bytes = int.from_bytes
        for at in range(start, len(body), ID_BYTES):
            value = from_bytes(body[at : at + 16], "little")
            # Six slices, written out: a loop over them takes twice as long, and this is done for every id.
            words[value & mask] |= bit
            words[value >> shift & mask] |= bit
            words[value >> second & mask] |= bit
            words[value >> third & mask] |= bit
            words[value >> fourth & mask] |= bit
            words[value >> fifth & mask] |= bit

    def candidates(self, digest: bytes) -> int:
        """The sets that may hold a digest, as bits."""
        words, mask, shift = self._words, self._mask, self._shift
        value = int.from_bytes(digest, "little")
        found = words[value & mask]
        for _ in range(_SLICES - 1):
            if not found:
                return 0
            value >>= shift
            found &= words[value & mask]
        return found
