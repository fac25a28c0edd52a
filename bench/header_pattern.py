"""Header values that differ from message to message, or from consumer to consumer: what stands in braces is filled in.

    {}          the message's key, which no other message has, also not one of another run
    {run}       what the keys of one run and one stream begin with
    {number}    the message's number within its stream, from 1
    {1000}      that number modulo 1000, from 0
    {a|b|c}     one of these in turn; a header that is nothing but an empty one is left out

For a consumer there are `{number}`, `{1000}` and `{a|b|c}`, by the number of the consumer.

Values are made by the block: a `Column` gives those of many messages at once, out of ranges and slices. That costs the
generator some 0.05 us a message and header, where a call for each message would cost ten times that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

__all__ = ["Column", "PatternError", "check_pattern", "consumer_headers", "escape", "header_template", "numbers_from"]

Column: TypeAlias = Callable[[int, int], Sequence[int | bytes]]
"""Of the messages from a number on, so many: what each has in one place of the frame."""

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\r": "\\r", "\n": "\\n", ":": "\\c"})
# So many values are kept to be cut out by slices. More than that differ in practice; `{number}` is cheaper then.
_CYCLE_MAX: Final = 1_000_000


class PatternError(ValueError):
    """What stands in braces has no meaning."""


def check_pattern(text: str) -> None:
    """See that all that stands in braces has a meaning.

    Raises:
        PatternError: it has none; the text says which.
    """
    for word in _BRACES.findall(text):
        if word.isdigit() and not 0 < int(word) <= _CYCLE_MAX:
            raise PatternError(f"{{{word}}}: a number from 1 to {_CYCLE_MAX:,} is wanted")
        if not (word in ("", "run", "number") or word.isdigit() or "|" in word):
            raise PatternError(f"{{{word}}}: nothing, 'run', 'number', a number or a|b|c stands in braces")


def header_template(name: str, text: str, prefix: bytes) -> tuple[bytes, list[Column]]:
    """A header line as a piece of a `%` template, and what is to be filled in.

    Args:
        name: of the header, not yet escaped.
        text: its value, with braces.
        prefix: the digits that the keys of this run and stream begin with.
    """
    only = _BRACES.fullmatch(text)
    if only is not None and "|" in only[1]:
        lines = [_line(name, value) if value else b"" for value in only[1].split("|")]
        return b"%b", [_cycle(lines)]
    pieces: list[bytes] = []
    columns: list[Column] = []
    for index, piece in enumerate(_BRACES.split(text)):
        if index % 2 == 0:
            pieces.append(_template(escape(piece)))
        elif piece == "run":
            pieces.append(prefix)
        else:
            directive, column = _column(piece, prefix)
            pieces.append(directive)
            columns.append(column)
    return _template(escape(name)) + b":" + b"".join(pieces) + b"\n", columns


def consumer_headers(headers: Sequence[tuple[str, str]], number: int) -> list[tuple[str, str]]:
    """The headers of consumer `number`, from 0, without those whose value is empty for it."""

    def fill(found: re.Match[str]) -> str:
        word = found[1]
        if "|" in word:
            values = word.split("|")
            return values[number % len(values)]
        return str(number % int(word) if word.isdigit() else number + 1)

    filled = [(name, _BRACES.sub(fill, text), text) for name, text in headers]
    return [(name, value) for name, value, text in filled if value or not text]


def escape(text: str) -> bytes:
    """A header's name or value as STOMP 1.2 has it on the wire."""
    return text.translate(_ESCAPES).encode()


def _column(word: str, prefix: bytes) -> tuple[bytes, Column]:
    if not word:
        return prefix + b"%09d", numbers_from
    if word == "number":
        return b"%d", lambda first, count: range(first + 1, first + count + 1)
    if "|" in word:
        return b"%b", _cycle([escape(value) for value in word.split("|")])
    return b"%d", _cycle(list(range(int(word))))


def numbers_from(first: int, count: int) -> Sequence[int]:
    """The numbers themselves."""
    return range(first, first + count)


def _cycle(values: Sequence[int | bytes]) -> Column:
    """These values again and again."""
    length = len(values)
    repeated = list(values)

    def column(first: int, count: int) -> Sequence[int | bytes]:
        start = first % length
        while len(repeated) < start + count:
            repeated.extend(values)
        return repeated[start : start + count]

    return column


def _line(name: str, value: str) -> bytes:
    return escape(name) + b":" + escape(value) + b"\n"


def _template(text: bytes) -> bytes:
    """`text` as it has to stand in a `%` template."""
    return text.replace(b"%", b"%%")
