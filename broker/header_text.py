"""How header text is written in a stored message: with the escape sequences of STOMP 1.2 (docs/formats/record.md)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["escape", "unescape"]

_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c"}
_TABLE: Final = str.maketrans(_ESCAPES)
_PLAIN: Final = {escape: plain for plain, escape in _ESCAPES.items()}
_sequences: Final = re.compile(r"\\.", re.DOTALL).sub


def escape(text: str) -> str:
    """A name or a value as it stands in a record."""
    return text.translate(_TABLE)


def unescape(text: str) -> str:
    """What `escape` was given. A sequence that it never writes stays as it is."""
    return _sequences(lambda found: _PLAIN.get(found[0], found[0]), text) if "\\" in text else text
