"""An event of the log as one line of text or JSON, with nothing in it that acts on a terminal or splits a line.

What stands in a field may come from a peer: a queue's name, a header, a login. It can't forge a second line (CR, LF),
colour or clear a terminal (ANSI sequences), or show what it isn't (bidirectional marks): all of these are escaped.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

__all__ = ["LINE_BYTES_MAX", "format_json", "format_line"]

# Up to PIPE_BUF (4096 on Linux) a write into a pipe is not mixed with those of other processes (POSIX, write()).
LINE_BYTES_MAX: Final = 4096
# A queue's name has at most 255 bytes, a header line may have 16 KiB: enough to recognize it by.
_VALUE_CHARACTERS_MAX: Final = 512

# Never written, whatever they hold. A second line of defence: nobody should log them in the first place.
_SECRETS: Final = frozenset({"authorization", "passcode", "password", "password_hash", "secret", "token"})
_HIDDEN: Final = "(hidden)"
# A line begins with these; a field of the same name gets an underscore behind it.
_HEAD: Final = frozenset({"time", "level", "event"})
# What would be taken for syntax in a value without quotes.
_SYNTAX: Final = frozenset(' "=\\')
_SHORT_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

Scalar = str | int | float | bool | None


def format_line(now: float, level: str, event: str, fields: Mapping[str, object]) -> str:
    """Write an event as text: `time level event key=value ...`, without the end of the line.

    Values with spaces or anything that would be taken for syntax stand in quotes, with backslash escapes.
    """
    parts = [_time_text(now), level, _escape(event)]
    parts += [f"{_escape(name)}={_quote_if_needed(value)}" for name, value in _scalars(fields)]
    return " ".join(parts)


def format_json(now: float, level: str, event: str, fields: Mapping[str, object]) -> str:
    """Write an event as a JSON object, in ASCII, without the end of the line.

    When it would be too long, its values are cut, so that it is still an object.
    """
    shown: dict[str, Scalar] = {"time": _time_text(now), "level": level, "event": event, **dict(_scalars(fields))}
    line = _dump(shown)
    if len(line) >= LINE_BYTES_MAX:
        # JSON in ASCII takes at most 12 bytes for a character.
        room = LINE_BYTES_MAX // (12 * len(shown))
        line = _dump(
            {name: _shorten(value, room) if isinstance(value, str) else value for name, value in shown.items()}
        )
    return line


def _dump(shown: Mapping[str, Scalar]) -> str:
    # The one control character that JSON lets through.
    return json.dumps(shown).replace("\x7f", "\\u007f")


def _time_text(now: float) -> str:
    seconds, milliseconds = divmod(int(now * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03d}Z"


def _scalars(fields: Mapping[str, object]) -> Iterator[tuple[str, Scalar]]:
    for name, value in fields.items():
        if name in _SECRETS:
            yield name, _HIDDEN
        else:
            yield (f"{name}_" if name in _HEAD else name), _scalar(value)


def _scalar(value: object) -> Scalar:
    """Turn any value into one that both formats have, cut to a readable length."""
    if isinstance(value, Enum):
        return value.name.lower()
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, bytes):
        return _shorten(value[: _VALUE_CHARACTERS_MAX + 1].decode("utf-8", "backslashreplace"))
    if isinstance(value, BaseException):
        return _shorten(f"{type(value).__name__}: {value}")
    return _shorten(str(value))


def _shorten(text: str, characters_max: int = _VALUE_CHARACTERS_MAX) -> str:
    return text if len(text) <= characters_max else f"{text[:characters_max]}..."


def _quote_if_needed(value: Scalar) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    # "-" in quotes is a value, without them there is none.
    if value and value != "-" and value.isprintable() and _SYNTAX.isdisjoint(value):
        return value
    return f'"{_escape(value)}"'


def _escape(text: str) -> str:
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(_escape_character(character) for character in text)


def _escape_character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return _SHORT_ESCAPES.get(character) or f"\\u{{{ord(character):x}}}"
