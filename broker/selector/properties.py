"""What a selector asks a message for, and the kinds of functions that it is compiled into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

__all__ = ["NumberReader", "Properties", "Test", "TextReader"]


class Properties(Protocol):
    """The headers of one message, by name: a `dict`, or whatever finds them when it is asked."""

    def get(self, name: str, /) -> str | None:
        """The value as it was sent, or None if there is no such header."""


Test: TypeAlias = Callable[[Properties], bool]
TextReader: TypeAlias = Callable[[Properties], str | None]
"""None is NULL: the header is missing."""
NumberReader: TypeAlias = Callable[[Properties], int | float | None]
"""None is NULL; `values.UNLIKE` is a value of another type. Booleans are read as 1 and 0."""
