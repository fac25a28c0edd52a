"""How literals and names are written: numbers and identifiers as in Java, strings and names in quotes as in SQL.

Values that come in headers are not literals; they are read by `values`.
"""

from __future__ import annotations

import math
import unicodedata
from typing import Final

from segue.broker.selector.errors import Fault, shown
from segue.broker.selector.values import EXACT_MAX

__all__ = [
    "LOWEST",
    "RESERVED_WORDS",
    "is_identifier",
    "number_of_literal",
    "reserved_word",
    "stray_character",
    "unquoted",
]

RESERVED_WORDS: Final = frozenset(
    {"AND", "BETWEEN", "ESCAPE", "FALSE", "IN", "IS", "LIKE", "NOT", "NULL", "OR", "TRUE"}
)
"""Never names, however they are written. The specification's list."""

LOWEST: Final = EXACT_MAX + 1
"""The one number that is exact with a minus in front and not without."""

# What Java's Character.isJavaIdentifierStart and ...Part say, by Unicode's general category. The specification refers
# to them. Java's ignorable control characters are left out.
_START: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Sc", "Pc"})
_PART: Final = _START | {"Nd", "Mn", "Mc", "Cf"}


def reserved_word(name: str) -> str:
    """The reserved word that a name is, in capitals; empty if it is none."""
    # ASCII only: some other letters, as the Turkish dotless i, have capitals in ASCII.
    word = name.upper() if name.isascii() else ""
    return word if word in RESERVED_WORDS else ""


def is_identifier(name: str) -> bool:
    """Whether it can be written without quotes: it is no reserved word either."""
    return bool(name) and stray_character(name) < 0 and not reserved_word(name)


def stray_character(name: str, allowed: str = "") -> int:
    """Look for what may not stand in an identifier.

    Args:
        name: the identifier.
        allowed: characters that may stand behind the first one all the same.

    Returns:
        The index of the first such character, or -1.
    """
    for index, character in enumerate(name):
        if unicodedata.category(character) not in (_PART if index else _START) and not (index and character in allowed):
            return index
    return -1


def unquoted(text: str) -> str:
    """Take the quotes away: a quote that is meant is doubled."""
    quote = text[0]
    return text[1:-1].replace(quote * 2, quote)


def number_of_literal(text: str, at: int) -> int | float:
    """Read a number, as Java writes it.

    `10`, `10L`, `0x1F`, `017` (octal), `0b101` and `1_000` are exact; `1.`, `.5`, `1e3`, `1.5f`, `2d` and `0x1p-3` are
    approximate. All exact ones have 64 bits and all approximate ones are doubles, with and without suffix.

    Args:
        text: what the grammar takes for a number.
        at: where it stands.

    Raises:
        Fault: it has a digit that its base has not, or is too large.
    """
    plain = text.replace("_", "").lower()
    if plain.startswith("0x"):
        value = _approximate_hexadecimal(plain) if "p" in plain else _exact(plain, 16, at)
    elif plain.startswith("0b"):
        value = _exact(plain, 2, at)
    elif plain.rstrip("l").isdecimal():
        value = _exact(plain, 8 if plain.startswith("0") else 10, at)
    else:
        value = float(plain.rstrip("fd"))
    if value > LOWEST if isinstance(value, int) else math.isinf(value):
        raise Fault(at, f"the number {shown(text)}", "one that fits into 64 bits")
    return value


def _approximate_hexadecimal(text: str) -> float:
    try:
        return float.fromhex(text.rstrip("fd"))
    except OverflowError:
        return math.inf


def _exact(text: str, base: int, at: int) -> int:
    digits = text.rstrip("l")
    try:
        # Python refuses to read thousands of decimal digits. The first ones are enough to know that they are too many.
        return int(digits[:_DECIMAL_DIGITS_MAX] if base == 10 else digits, base)
    except ValueError:
        raise Fault(at, f"the number {shown(text)}", f"digits of base {base}") from None


_DECIMAL_DIGITS_MAX: Final = 20
