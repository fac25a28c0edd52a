"""What a header's text stands for where a number or a condition is wanted, and how numbers are reckoned with.

All headers of STOMP are strings. Beside a number, a header is read as one; beside TRUE, FALSE or a condition, as a
boolean. A text that is neither is `UNLIKE`: every comparison with it is false, as the specification says of values of
different types.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Final

__all__ = ["ARITHMETIC", "COMPARISONS", "EXACT_MAX", "EXACT_MIN", "UNLIKE", "boolean_of", "negative_of", "number_of"]

EXACT_MAX: Final = 2**63 - 1
EXACT_MIN: Final = -(2**63)
"""Exact numbers are Java's `long`."""

UNLIKE: Final = math.nan
"""Compared with it, everything is false, also by `<>` as `COMPARISONS` has it."""

_EXACT: Final = re.compile(r"[+-]?[0-9]+", re.ASCII).fullmatch
_APPROXIMATE: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII).fullmatch
# Below this length, a number without a sign fits into 64 bits.
_SHORT: Final = 19


def number_of(text: str) -> int | float:
    """Read a header as a number.

    Decimal, with sign, point and exponent as need be: no other base, no suffix, no spaces, and ASCII digits only. What
    has neither point nor exponent is exact if it fits into 64 bits.

    Returns:
        The number, or `UNLIKE`.
    """
    # Nearly all numbers in headers are like this, and to look at the characters costs a third of the expression.
    if len(text) < _SHORT and text.isdecimal() and text.isascii():
        return int(text)
    if _EXACT(text) and len(text) <= _SHORT + 1 and EXACT_MIN <= int(text) <= EXACT_MAX:
        return int(text)
    if not _APPROXIMATE(text):
        return UNLIKE
    number = float(text)
    return number if math.isfinite(number) else UNLIKE


def boolean_of(text: str) -> int | float:
    """Read a header as a boolean: `true` and `false`, in small or capital letters.

    Returns:
        1, 0 or `UNLIKE`.
    """
    word = text.lower()
    return 1 if word == "true" else 0 if word == "false" else UNLIKE


def _differ(left: float, right: float) -> bool:
    # Not `!=`: of values of different types, this is false too.
    return left < right or left > right


Comparer = Callable[[int | float, int | float], bool]
COMPARISONS: Final[dict[str, Comparer]] = {
    "=": operator.eq,
    "<>": _differ,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _quotient(left: int | float, right: int | float) -> int | float:
    """Of exact numbers exact, and cut off towards zero, as in Java."""
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


def _remainder(left: int | float, right: int | float) -> int | float:
    """With the sign of what is divided, as in Java."""
    if isinstance(left, int) and isinstance(right, int):
        return left - right * int(_quotient(left, right))
    return math.fmod(left, right)


Reckoner = Callable[[int | float, int | float], int | float | None]


def _bounded(reckon: Callable[[int | float, int | float], int | float]) -> Reckoner:
    """Make unknown what has no finite value, and approximate what leaves 64 bits.

    Java goes on with the lower 64 bits of what is too large: that is of use to nobody. Without a bound, Python's
    numbers would grow with each multiplication.
    """

    def bounded(left: int | float, right: int | float) -> int | float | None:
        try:
            value = reckon(left, right)
        except (ZeroDivisionError, ValueError):
            return None  # divided by zero; math.fmod calls it a ValueError, also of NaN
        if isinstance(value, int):
            return value if EXACT_MIN <= value <= EXACT_MAX else float(value)
        return value if math.isfinite(value) else None

    return bounded


ARITHMETIC: Final[dict[str, Reckoner]] = {
    "+": _bounded(operator.add),
    "-": _bounded(operator.sub),
    "*": _bounded(operator.mul),
    "/": _bounded(_quotient),
    "%": _bounded(_remainder),
}


def negative_of(number: int | float) -> int | float | None:
    """Turn the sign. What is no number is unknown."""
    return ARITHMETIC["-"](0, number) if isinstance(number, int) else None if math.isnan(number) else -number
