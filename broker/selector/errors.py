"""What is wrong with a selector, where, and what should be there."""

from __future__ import annotations

from typing import Final

from segue.broker.errors import BrokerError

__all__ = ["Fault", "SelectorError", "shown"]

_SHOWN_CHARACTERS_MAX: Final = 40
"""Of what a peer wrote, in an error: it goes into a header and into a line of the log."""


class SelectorError(BrokerError):
    """A selector that is not in the language, or beyond a limit. The text says it in one sentence.

    Attributes:
        line: where, from 1.
        column: where in that line, in characters, from 1.
        found: what stands there.
        expected: what should.
    """

    code = "selector"

    def __init__(self, line: int, column: int, found: str, expected: str) -> None:
        super().__init__(f"selector, line {line}, column {column}: found {found}, expected {expected}")
        self.line = line
        self.column = column
        self.found = found
        self.expected = expected


class Fault(Exception):
    """The same while the text as a whole is not at hand: with an offset in place of line and column.

    Args:
        at: characters from the start of the text.
        found: as in `SelectorError`.
        expected: as in `SelectorError`.
    """

    def __init__(self, at: int, found: str, expected: str) -> None:
        super().__init__(at, found, expected)
        self.at = at
        self.found = found
        self.expected = expected

    def within(self, text: str) -> SelectorError:
        """Say it to who wrote the text. Lines end with LF, CR or both."""
        before = text[: self.at].replace("\r\n", "\n").replace("\r", "\n")
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        return SelectorError(line, column, self.found, self.expected)


def shown(text: str) -> str:
    """A piece of a peer's text in quotes: on one line, and not too long."""
    # `str`, for a token of Lark is a string whose `repr` says more than its text.
    return repr(str(text) if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[:_SHOWN_CHARACTERS_MAX]}…")
