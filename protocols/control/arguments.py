"""The arguments of a request: each is read once and checked; what is missing, wrong or not known is an error."""

from __future__ import annotations

import base64
from collections.abc import Container, Mapping
from typing import Any, Final

from segue.broker.names import InvalidNameError, check_queue_name, normal
from segue.protocols.control.frames import ControlError, ErrorCode

__all__ = ["Arguments"]

_NAME_SHOWN_MAX: Final = 80
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

    def optional_number(self, name: str, *, maximum: int) -> int | None:
        """A whole number from 0; None when it is left out."""
        return self.number(name, maximum=maximum) if name in self._given else None

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """A list of pairs of texts; empty when it is left out."""
        value = self._take(name, list, "a list of pairs of texts", [])
        pairs = [tuple(pair) for pair in value if isinstance(pair, list) and all(isinstance(t, str) for t in pair)]
        if len(pairs) != len(value) or any(len(pair) != 2 for pair in pairs):
            raise _bad(f"'{name}' is a list of pairs of texts")
        return [(pair[0], pair[1]) for pair in pairs]

    def values(self, name: str) -> dict[str, Any]:
        """An object; empty when it is left out."""
        value: dict[str, Any] = self._take(name, dict, "an object", {})
        return value

    def octets(self, name: str) -> bytes:
        """Octets in base64."""
        try:
            return base64.b64decode(self.text(name), validate=True)
        except ValueError:  # binascii.Error is one, and so is a character that is not ASCII
            raise _bad(f"'{name}' is base64") from None

    def name(self, name: str, known: Container[str] = ()) -> str:
        """The name of a queue, in NFC, by the rules of every front-end.

        Args:
            name: of the argument.
            known: queues that are there, whatever they are called: by a dialect that allows more, or in the past.
        """
        given = self.text(name)
        if (found := normal(given)) in known:
            return found
        try:
            return check_queue_name(given)
        except InvalidNameError as failure:
            raise _bad(f"{given[:_NAME_SHOWN_MAX]!r} is no name of a queue: {failure.reason}") from None

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
