"""The kinds of value that policies have: a pattern on names of queues, the name of one, a time in a queue."""

from __future__ import annotations

import unicodedata
from typing import Final

from segue.broker.settings.faults import show_value
from segue.broker.settings.kinds import Kind, quote, told, whole_number
from segue.broker.settings.quantity import parse_milliseconds

__all__ = ["Milliseconds", "QueueName", "QueuePattern"]

# As front-ends have it (protocols/names.py, which nothing of the broker may import; a test compares the two).
_NAME_BYTES_MAX: Final = 255
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_RULE: Final = f"1 to {_NAME_BYTES_MAX} bytes of characters that can be seen, no space at either end"


class QueuePattern(Kind[str]):
    """A pattern on names of queues: `*` stands for any run of characters, nothing else is special."""

    example = '"orders.*"'

    def read(self, raw: object) -> str:
        pattern = _visible(raw)
        if pattern is None:
            raise ValueError(f"is {show_value(raw)}, not a pattern on names of queues: {_RULE}")
        return pattern

    def toml(self, value: str) -> str:
        return quote(value)

    def plain(self, value: str) -> object:
        return value


class QueueName(Kind[str]):
    """The name of a queue; empty for none."""

    example = '"dead-letters"'

    def read(self, raw: object) -> str:
        if raw == "":
            return ""
        name = _visible(raw)
        if name is None:
            raise ValueError(f"is {show_value(raw)}, not the name of a queue: {_RULE}")
        if ".." in name or "*" in name:
            raise ValueError(f"is {show_value(raw)}, not the name of a queue: '..' and '*' can't be in one")
        return name

    def toml(self, value: str) -> str:
        return quote(value)

    def plain(self, value: str) -> object:
        return value


class Milliseconds(Kind[int]):
    """A duration in whole milliseconds, for times that protocols have in milliseconds, too."""

    unit = "milliseconds"
    example = '"7 d"'

    def read(self, raw: object) -> int:
        if isinstance(raw, str):
            return told(raw, parse_milliseconds)
        return whole_number(raw, "a number of milliseconds")

    def toml(self, value: int) -> str:
        return str(value)

    def plain(self, value: int) -> object:
        return value

    def show(self, value: int) -> str:
        return f"{value} ms"


def _visible(raw: object) -> str | None:
    """A text in NFC, or None when it is none that a name could be."""
    if not isinstance(raw, str):
        return None
    text = unicodedata.normalize("NFC", raw)
    if text != text.strip() or any(unicodedata.category(character) in _INVISIBLE for character in text):
        return None
    return text if 1 <= len(text.encode()) <= _NAME_BYTES_MAX else None
