"""Sizes and durations as people write them: "64 MiB", "30 s"; read and written exactly, nothing rounded."""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["GIB", "KIB", "MIB", "parse_seconds", "parse_size", "show_seconds", "show_size"]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_SIZE_UNITS = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": 1024 * GIB}
_SECONDS_UNITS = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
# At most 18 digits: what does not fit into 64 bits is a slip of the finger, and an integer of a million digits costs
# quadratic time to read (CVE-2020-10735).
_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]*)", re.ASCII)


def parse_size(text: str) -> int:
    """Read a number of bytes such as `"1048576"` or `"1 MiB"`.

    Units are binary and are written exactly so. "MB" and "M" are refused: whether they mean 1000 or 1024 depends on who
    reads them, and a limit must not.

    Raises:
        ValueError: it is not a size; the text goes on after `is "3 MB", `.
    """
    number, factor = _split(text, {unit: Fraction(count) for unit, count in _SIZE_UNITS.items()}, "B")
    size = number * factor
    if size.denominator != 1:
        raise ValueError("not a whole number of bytes")
    return int(size)


def parse_seconds(text: str) -> float:
    """Read a duration such as `"30"`, `"30 s"`, `"500 ms"` or `"2 min"`, in seconds.

    Raises:
        ValueError: it is not a duration; the text goes on after `is "3 weeks", `.
    """
    number, factor = _split(text, _SECONDS_UNITS, "s")
    return float(number * factor)


def show_size(count: int) -> str:
    """Write a number of bytes with the largest unit that divides it: 67108864 is `"64 MiB"`, 1000 is `"1000 B"`."""
    exact = [unit for unit, factor in _SIZE_UNITS.items() if count >= factor and count % factor == 0]
    unit = exact[-1] if exact else "B"
    return f"{count // _SIZE_UNITS[unit]} {unit}"


def show_seconds(seconds: float) -> str:
    """Write seconds as a plain number: 30.0 is `"30"`, 0.5 is `"0.5"`."""
    return str(int(seconds)) if seconds == int(seconds) else repr(seconds)


def _split(text: str, units: dict[str, Fraction], bare: str) -> tuple[Fraction, Fraction]:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a number with a unit")
    unit = match[2] or bare
    if unit not in units:
        raise ValueError(f"of a unit that is none of {', '.join(units)}")
    return Fraction(match[1]), units[unit]
