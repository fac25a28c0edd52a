"""The arguments of a request: each is read once and checked; what is missing, wrong or not known is an error."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from segue.protocols.control.frames import ControlError, ErrorCode

__all__ = ["NAME_BYTES_MAX", "Arguments"]

# As in a STOMP destination, so that every queue that is made here can be reached from there.
NAME_BYTES_MAX: Final = 255
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_REQUIRED: Final = object()


class Arguments:
    """Read them, then call `finish`.

    Raises:
        ControlError: BAD_REQUEST, from every method.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = dict(given)

    def text(self, name: str, default: Any = _REQUIRED) -> str:
        """A text."""
        return str(self._take(name, str, "a text", default))

    def flag(self, name: str) -> bool:
        """True or false; false when it is left out."""
        return bool(self._take(name, bool, "true or false", False))

    def number(self, name: str, default: Any = _REQUIRED, *, minimum: int = 0, maximum: int = 1 << 62) -> int:
        """A whole number."""
        value = self._take(name, int, "a whole number", default)
        if isinstance(value, bool) or not minimum <= value <= maximum:
            raise _bad(f"'{name}' is a whole number from {minimum} to {maximum}")
        return int(value)

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """A list of pairs of texts; empty when it is left out."""
        value = self._take(name, list, "a list of pairs of texts", [])
        pairs = [tuple(pair) for pair in value if isinstance(pair, list) and all(isinstance(t, str) for t in pair)]
        if len(pairs) != len(value) or any(len(pair) != 2 for pair in pairs):
            raise _bad(f"'{name}' is a list of pairs of texts")
        return [(pair[0], pair[1]) for pair in pairs]

    def octets(self, name: str) -> bytes:
        """Octets in base64."""
        try:
            return base64.b64decode(self.text(name), validate=True)
        except ValueError:  # binascii.Error is one, and so is a character that is not ASCII
            raise _bad(f"'{name}' is base64") from None

    def name(self, name: str) -> str:
        """The name of a queue, in NFC, by the rules of every front-end."""
        given = self.text(name)
        normal = unicodedata.normalize("NFC", given)
        if not normal or len(normal.encode(errors="replace")) > NAME_BYTES_MAX:
            raise _bad(f"{given[:80]!r} is no name of a queue: it has 1 to {NAME_BYTES_MAX} bytes")
        if any(unicodedata.category(character) in _INVISIBLE for character in normal) or normal != normal.strip():
            raise _bad(f"{given!r} is no name of a queue: it has control, invisible or outer space characters")
        words = normal.split(".")
        if ".." in normal or any(word == "#" or "*" in word or ">" in word for word in words):
            raise _bad(f"{given!r} is no name of a queue: '..' and wildcards can't be in one")
        return normal

    def finish(self) -> None:
        """Refuse what nobody has read."""
        if self._given:
            raise _bad(f"there is no argument {sorted(self._given)[0]!r}")

    def _take(self, name: str, kind: type, what: str, default: Any) -> Any:
        value = self._given.pop(name, default)
        if value is _REQUIRED:
            raise _bad(f"the argument '{name}' is missing")
        if value is not default and not isinstance(value, kind):
            raise _bad(f"'{name}' is {what}")
        return value


def _bad(problem: str) -> ControlError:
    return ControlError(ErrorCode.BAD_REQUEST, problem)
