r"""How header text is written: the escape sequences of each version (STOMP 1.1 and 1.2, "Value Encoding").

| on the wire | means | 1.0 | 1.1 | 1.2 |
|---|---|---|---|---|
| `\n` | line feed | no | yes | yes |
| `\c` | colon | no | yes | yes |
| `\\` | backslash | no | yes | yes |
| `\r` | carriage return | no | no | yes |

In 1.0 a backslash is a backslash. CONNECT and CONNECTED are never escaped, in any version. What a version cannot say
is replaced by a space when we write it.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote

__all__ = ["CLEAN", "Version", "escape_name", "escape_value", "unescape"]

CLEAN: Final = rb"[!-\[\]-~][ -\[\]-~]{0,254}"
"""A pattern for header text that reads the same raw and decoded, in every version: printable ASCII without a backslash,
and without a space in front. What is longer than 255 is left to the full reader."""


class Version(IntEnum):
    """A version of STOMP; later ones are greater."""

    V1_0 = 10
    V1_1 = 11
    V1_2 = 12

    @property
    def text(self) -> str:
        """As it stands on the wire: `1.2`."""
        return f"{self // 10}.{self % 10}"


_MEANINGS: Final[dict[Version, dict[str, str]]] = {
    Version.V1_0: {},
    Version.V1_1: {"\\n": "\n", "\\c": ":", "\\\\": "\\"},
    Version.V1_2: {"\\n": "\n", "\\c": ":", "\\\\": "\\", "\\r": "\r"},
}
_VALUE_TABLES: Final = {
    Version.V1_0: str.maketrans({"\n": " ", "\r": " ", "\0": " "}),
    Version.V1_1: str.maketrans({"\\": "\\\\", "\n": "\\n", ":": "\\c", "\r": " ", "\0": " "}),
    Version.V1_2: str.maketrans({"\\": "\\\\", "\n": "\\n", ":": "\\c", "\r": "\\r", "\0": " "}),
}
# A colon in a name of 1.0 would end the name there, and so forge another header.
_NAME_TABLES: Final = {**_VALUE_TABLES, Version.V1_0: str.maketrans({"\n": " ", "\r": " ", "\0": " ", ":": " "})}
# A backslash with what follows it, which is nothing where the text ends.
_SEQUENCE: Final = re.compile(r"\\.?", re.DOTALL)


def escape_name(name: str, version: Version) -> str:
    """Write a header's name as `version` does."""
    return name.translate(_NAME_TABLES[version])


def escape_value(value: str, version: Version) -> str:
    """Write a header's value as `version` does."""
    return value.translate(_VALUE_TABLES[version])


def unescape(text: str, version: Version) -> str:
    r"""Read a header's name or value as `version` does.

    Raises:
        StompProtocolError: an escape sequence that the version does not define; "Undefined escape sequences such as
            \t MUST be treated as a fatal protocol error" (STOMP 1.2).
    """
    if "\\" not in text or version is Version.V1_0:
        return text
    meanings = _MEANINGS[version]
    try:
        return _SEQUENCE.sub(lambda found: meanings[found[0]], text)
    except KeyError as unknown:
        raise _undefined(str(unknown.args[0]), version) from None


def _undefined(sequence: str, version: Version) -> StompProtocolError:
    known = ", ".join(_MEANINGS[version])
    return StompProtocolError(
        ErrorCode.BAD_ESCAPE, f"'{quote(sequence)}' is not an escape sequence of STOMP {version.text}; it has {known}"
    )
