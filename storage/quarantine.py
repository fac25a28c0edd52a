"""What of a cursor is set aside because its bytes are damaged: ranges, as a damaged segment may hold many messages."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Damage", "Quarantine"]


class Damage(NamedTuple):
    """Messages [first, last] of a log can't be read; settled ones may be among them."""

    first: int
    last: int
    reason: str


class Quarantine:
    """Damaged ranges that don't overlap, rising.

    What is in here is owed: it is never delivered and never dropped until an operator says so.
    """

    __slots__ = ("_ranges",)

    def __init__(self) -> None:
        self._ranges: list[Damage] = []

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last, _ in self._ranges)

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __iter__(self) -> Iterator[Damage]:
        return iter(self._ranges)

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._ranges, seq, key=_first) - 1
        return at >= 0 and seq <= self._ranges[at].last

    def add(self, first: int, last: int, reason: str) -> None:
        """Set a range aside; what of it is here already keeps its reason."""
        at = bisect_right(self._ranges, first, key=_first)
        if at and self._ranges[at - 1].last >= first:
            first = self._ranges[at - 1].last + 1
        parts = []
        while at < len(self._ranges) and self._ranges[at].first <= last and first <= last:
            known = self._ranges[at]
            if first < known.first:
                parts.append(Damage(first, known.first - 1, reason))
            first = known.last + 1
            at += 1
        if first <= last:
            parts.append(Damage(first, last, reason))
        self._ranges = sorted([*self._ranges, *parts])

    def remove(self, first: int, last: int) -> None:
        """What of [first, last] is here is sound again, or settled."""
        kept = []
        for damage in self._ranges:
            if damage.last < first or damage.first > last:
                kept.append(damage)
                continue
            if damage.first < first:
                kept.append(damage._replace(last=first - 1))
            if damage.last > last:
                kept.append(damage._replace(first=last + 1))
        self._ranges = kept

    def low(self) -> int | None:
        """The lowest number in it."""
        return self._ranges[0].first if self._ranges else None


def _first(damage: Damage) -> int:
    return damage.first
