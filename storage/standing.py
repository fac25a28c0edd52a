"""Standings: what is written of a message that was handed out and is still owed.

A standing is one number: how often the message was delivered, and, from `CONDEMNED` on, why it is not to be delivered
again; what that means is the caller's business. On disk it takes one pair (sequence number, standing), and a second
one, with the same sequence number and its upper half, if it has more than 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["CONDEMNED", "pairs_of", "standings_of"]

CONDEMNED: Final = 1 << 32
"""A returned message with this standing, or one above, waits to be settled, or moved."""
_HALF_BITS: Final = 64
_HALF: Final = 1 << _HALF_BITS


def pairs_of(standings: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Sequence numbers with their standings, as pairs of unsigned numbers of 64 bits."""
    for seq, standing in standings:
        if standing < _HALF:
            yield seq, standing
        else:
            yield seq, standing % _HALF
            yield seq, standing >> _HALF_BITS


def standings_of(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """What `pairs_of` has made pairs of: sequence number → standing."""
    standings: dict[int, int] = {}
    for seq, half in pairs:
        if seq in standings:
            standings[seq] += half << _HALF_BITS
        else:
            standings[seq] = half
    return standings
