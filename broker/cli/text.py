"""What commands print: tables, sizes, ages, counts; and nothing that acts on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["age", "count", "message_range", "printable", "rate", "size", "table", "time_text"]

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Columns of the same width.

    Args:
        columns: what stands above them.
        rows: as many cells as there are columns.
        right: indexes of the columns whose cells stand at the right: numbers.
    """
    lines = [list(columns), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    at_right = set(right)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index in at_right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def printable(text: str) -> str:
    """The text on one line, control and invisible characters escaped: a peer may have chosen it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def size(octets: int) -> str:
    """Bytes in the largest unit that leaves a number from 1 on."""
    if octets < 1024:
        return f"{octets} B"
    value = float(octets)
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            return f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("the last unit takes everything")


def age(seconds: float | None) -> str:
    """A length of time, two units of it; `-` for None."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    for unit, length, smaller, smaller_length in (
        ("d", 86_400, "h", 3_600),
        ("h", 3_600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // smaller_length} {smaller}"
    raise AssertionError("60 seconds are a minute")


def count(number: int) -> str:
    """A whole number, its thousands apart."""
    return f"{number:,}"


def message_range(first: int, last: int) -> str:
    """Messages by their numbers, both included."""
    return f"message {first}" if first == last else f"messages {first}-{last}"


def rate(a_second: float) -> str:
    """Messages a second: whole ones when there are many."""
    return f"{a_second:,.0f}" if a_second >= 10 or a_second == 0 else f"{a_second:.1f}"


def time_text(milliseconds: int) -> str:
    """A moment, UTC; `-` for 0."""
    import time

    if milliseconds <= 0:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(milliseconds / 1000))
