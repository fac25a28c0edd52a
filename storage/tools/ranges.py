"""Sets of sequence numbers as ranges: lists of (first, last), both included, rising, that neither overlap nor touch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

__all__ = ["Range", "Ranges", "add", "normal", "size", "within", "without"]

Range = tuple[int, int]
Ranges = list[Range]


def normal(ranges: Iterable[Range]) -> Ranges:
    """Any ranges, in any order, as a set."""
    found: Ranges = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            if last > found[-1][1]:
                found[-1] = found[-1][0], last
        elif first <= last:
            found.append((first, last))
    return found


def add(ranges: Ranges, first: int, last: int) -> None:
    """Put a range behind those that are there; where it does not belong there, `normal` has to put it in order."""
    if ranges and ranges[-1][1] + 1 == first:
        ranges[-1] = ranges[-1][0], last
    else:
        ranges.append((first, last))


def without(ranges: Ranges, gone: Ranges) -> Ranges:
    """What of `ranges` is not in `gone`."""
    found: Ranges = []
    at = 0
    for first, last in ranges:
        while at < len(gone) and gone[at][1] < first:
            at += 1
        index = at
        while index < len(gone) and gone[index][0] <= last:
            if gone[index][0] > first:
                found.append((first, gone[index][0] - 1))
            first = gone[index][1] + 1
            index += 1
        if first <= last:
            found.append((first, last))
    return found


def within(ranges: Ranges, first: int, last: int) -> Ranges:
    """What of [first, last] is in a set."""
    at = bisect_left(ranges, first, key=lambda part: part[1])
    found = []
    while at < len(ranges) and ranges[at][0] <= last:
        found.append((max(first, ranges[at][0]), min(last, ranges[at][1])))
        at += 1
    return found


def size(ranges: Ranges) -> int:
    """How many numbers there are in a set."""
    return sum(last - first + 1 for first, last in ranges)
