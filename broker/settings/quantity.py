"""Sizes and durations as people write them: "64 MiB", "30 s"; read and written exactly, nothing rounded."""

from __future__ import annotations

import re

__all__ = ["GIB", "KIB", "MIB", "parse_milliseconds", "parse_seconds", "parse_size", "show_seconds", "show_size"]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_SIZE_UNITS = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": 1024 * GIB}
# In milliseconds, so that all are integers.
_DURATION_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
# At most 18 digits: what does not fit into 64 bits is a slip of the finger, and an integer of a million digits costs
# quadratic time to read (CVE-2020-10735).
_QUANTITY = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?\s*([A-Za-z]*)", re.ASCII)


def parse_size(text: str) -> int:
    """Read a number of bytes such as `"1048576"` or `"1 MiB"`.

    Units are binary and are written exactly so. "MB" and "M" are refused: whether they mean 1000 or 1024 depends on who
    reads them, and a limit must not.

    Raises:
        ValueError: it is not a size; the text goes on after `is "3 MB", `.
    """
    numerator, denominator = _read(text, _SIZE_UNITS, "B")
    if numerator % denominator:
        raise ValueError("not a whole number of bytes")
    return numerator // denominator


def parse_seconds(text: str) -> float:
    """Read a duration such as `"30"`, `"30 s"`, `"500 ms"` or `"2 min"`, in seconds.

    Raises:
        ValueError: it is not a duration; the text goes on after `is "3 weeks", `.
    """
    numerator, denominator = _read(text, _DURATION_UNITS, "s")
    return numerator / (denominator * 1000)


def parse_milliseconds(text: str) -> int:
    """Read a duration such as `"500"`, `"500 ms"` or `"7 d"`, in milliseconds.

    Raises:
        ValueError: it is not a duration, or not a whole number of milliseconds; likewise.
    """
    numerator, denominator = _read(text, _DURATION_UNITS, "ms")
    if numerator % denominator:
        raise ValueError("not a whole number of milliseconds")
    return numerator // denominator


def show_size(count: int) -> str:
    """Write a number of bytes with the largest unit that divides it: 67108864 is `"64 MiB"`, 1000 is `"1000 B"`."""
    exact = [unit for unit, factor in _SIZE_UNITS.items() if count >= factor and count % factor == 0]
    unit = exact[-1] if exact else "B"
    return f"{count // _SIZE_UNITS[unit]} {unit}"


def show_seconds(seconds: float) -> str:
    """Write seconds as a plain number: 30.0 is `"30"`, 0.5 is `"0.5"`."""
    return str(int(seconds)) if seconds == int(seconds) else repr(seconds)


def _read(text: str, units: dict[str, int], bare: str) -> tuple[int, int]:
    """Read a decimal number with a unit, as a fraction."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a number with a unit")
    decimals = match[2] or ""
    unit = match[3] or bare
    if unit not in units:
        raise ValueError(f"of a unit that is none of {', '.join(units)}")
    return int(match[1] + decimals) * units[unit], 10 ** len(decimals)
