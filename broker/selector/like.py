"""LIKE: a pattern with `%` and `_`, made into a test whose cost is bounded.

Regular expressions of the kind `.*a.*a.*a` take time that grows with a power of the text's length. Therefore a pattern
is cut at each `%` into *pieces* of fixed length. The first has to stand at the start, the last at the end, and each
other one is taken at the first place behind the one before it: if any way of placing them fits, this one does, so
nothing is ever tried again. A piece without `_` is found by `str.find`, which is linear; one with `_` may cost its
length at each place, which is why `floating_characters` counts these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["OpenEscapeError", "TextTest", "floating_characters", "like"]

TextTest: TypeAlias = Callable[[str], bool]
# Characters, and None for each `_`.
_Piece: TypeAlias = "list[str | None]"
# (value, start, end) -> where the first fit between these ends, or -1.
_Finder: TypeAlias = Callable[[str, int, int], int]


class OpenEscapeError(ValueError):
    """A pattern ends with its escape character, which has nothing left to escape."""


def like(pattern: str, escape: str = "") -> TextTest:
    """Compile a pattern.

    Args:
        pattern: `%` stands for any characters, `_` for any single one, line ends included.
        escape: one character, behind which any other stands for itself; empty for none.

    Raises:
        OpenEscapeError: see there.
    """
    pieces = _pieces(pattern, escape)
    if any(None in piece for piece in pieces):
        return _placed(pieces)
    texts = ["".join(character or "" for character in piece) for piece in pieces]
    match texts:
        case [text]:
            return lambda value: value == text
        case [start, ""]:
            return lambda value: value.startswith(start)
        case ["", end]:
            return lambda value: value.endswith(end)
        case ["", part, ""]:
            return lambda value: part in value
    return _placed(pieces)


def floating_characters(pattern: str, escape: str = "") -> int:
    """Count the characters of pieces that are looked for at each place of a value, one place after the other.

    Raises:
        OpenEscapeError: see there.
    """
    return sum(len(piece) for piece in _pieces(pattern, escape)[1:-1] if None in piece)


def _pieces(pattern: str, escape: str) -> list[_Piece]:
    pieces: list[_Piece] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            escaped = next(characters, None)
            if escaped is None:
                raise OpenEscapeError(pattern)
            pieces[-1].append(escaped)
        elif character == "%":
            pieces.append([])
        else:
            pieces[-1].append(None if character == "_" else character)
    return pieces


def _placed(pieces: list[_Piece]) -> TextTest:
    first, *floating = pieces
    if not floating:
        return _alone(first)
    last = floating.pop()
    find_first, find_last = _finder(first), _finder(last)
    finders = [_finder(piece) for piece in floating if piece]
    length = len(first), len(last)

    def test(value: str) -> bool:
        start, end = length[0], len(value) - length[1]
        if start > end or find_first(value, 0, start) < 0 or find_last(value, end, len(value)) < 0:
            return False
        for find in finders:
            start = find(value, start, end)
            if start < 0:
                return False
        return True

    return test


def _alone(piece: _Piece) -> TextTest:
    find, length = _finder(piece), len(piece)
    return lambda value: len(value) == length and find(value, 0, length) >= 0


def _finder(piece: _Piece) -> _Finder:
    if None not in piece:
        return _text_finder("".join(character or "" for character in piece))
    expression = "".join("." if character is None else re.escape(character) for character in piece)
    search = re.compile(expression, re.DOTALL).search

    def find(value: str, start: int, end: int) -> int:
        found = search(value, start, end)
        return -1 if found is None else found.end()

    return find


def _text_finder(text: str) -> _Finder:
    length = len(text)

    def find(value: str, start: int, end: int) -> int:
        found = value.find(text, start, end)
        return found if found < 0 else found + length

    return find
