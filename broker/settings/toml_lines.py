"""The line on which each key of a TOML document stands; tomllib reads values, and forgets where they were.

The document must be valid (tomllib took it): then only strings, brackets and comments can hide the end of a value, and
a scanner of this size finds it. Keys inside inline tables stand on the line of the key that the table belongs to; of a
table in an array of tables, the first one counts. Neither is ours.
"""

from __future__ import annotations

import re

from segue.broker.settings.faults import KeyPath

__all__ = ["scan_lines"]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_COMMENT = re.compile(r"#[^\n]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
# The longest delimiters first: three quotes are not an empty string and one quote.
_STRINGS = (
    # A run of more than three quotes at the end belongs to the string, up to two of them.
    re.compile(r'"""(?:\\.|(?!""").)*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:(?!''').)*'{3,5}", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\])*"'),
    re.compile(r"'[^']*'"),
)
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(["\\bfnrte]))')
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "e": "\x1b"}
_PLAIN = re.compile(r"[^\[\]{}\"'#\n]+")


def scan_lines(text: str) -> dict[KeyPath, int]:
    """Find the line of each key and of each table of a valid TOML document.

    Returns:
        Lines, counted from 1, by path. A table only implied (`a` in `[a.b]`) has the first line that implies it.
    """
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._position = 0
        # Lines are counted as the scanner goes on: from the start for each key would be quadratic.
        self._line = 1
        self._counted = 0

    def scan(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._position < len(self._text):
            if self._text[self._position] == "[":
                table = self._header()
            else:
                self._note(self._key(), table)
                self._skip_value()
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        while self._text[self._position] in "[ \t":
            self._position += 1
        path = self._key()
        self._note(path, ())
        self._position = self._text.index("]", self._position)
        while self._text.startswith("]", self._position):
            self._position += 1
        return path

    def _note(self, path: KeyPath, table: KeyPath) -> None:
        self._line += self._text.count("\n", self._counted, self._position)
        self._counted = self._position
        for length in range(1, len(path) + 1):
            self.lines.setdefault(table + path[:length], self._line)

    def _key(self) -> KeyPath:
        parts = [self._key_part()]
        while self._skip(_DOT):
            parts.append(self._key_part())
        return tuple(parts)

    def _key_part(self) -> str:
        start = self._position
        if self._skip(_BARE_KEY):
            return self._text[start : self._position]
        self._skip_string()
        quoted = self._text[start : self._position]
        return _ESCAPE.sub(_unescape, quoted[1:-1]) if quoted[0] == '"' else quoted[1:-1]

    def _skip_value(self) -> None:
        self._position = self._text.index("=", self._position) + 1
        depth = 0
        while self._position < len(self._text):
            character = self._text[self._position]
            if character == "\n" and depth == 0:
                return
            if character in "\"'":
                self._skip_string()
            elif character == "#":
                self._skip(_COMMENT)
            elif not self._skip(_PLAIN):
                depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(character, 0)
                self._position += 1

    def _skip_string(self) -> None:
        found = any(self._skip(pattern) for pattern in _STRINGS)
        assert found, "tomllib took a document with an open string"

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._position)
        if match is None or match.end() == self._position:
            return False
        self._position = match.end()
        return True


def _unescape(match: re.Match[str]) -> str:
    if match[3]:
        return _ESCAPED.get(match[3], match[3])
    return chr(int(match[1] or match[2], 16))
