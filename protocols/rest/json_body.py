"""Bodies in JSON: decoded, validated, and refused with the place at which they are wrong.

What two readers could read in two ways is refused (RFC 8259 §4 leaves it open which of two members of the same name
counts), and so is what is no text (a lone surrogate) or no number (NaN).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeVar

import msgspec

from segue.protocols.http import HttpError

__all__ = ["BodyError", "read_json"]

_T = TypeVar("_T")
_place: Final = re.compile(r" - at `(key in )?\$([^`]*)`$").search
_steps: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]").finditer


class BodyError(HttpError):
    """A body is not what it should be.

    Attributes:
        pointer: to the member that is wrong, RFC 6901; empty for the whole body.
    """

    def __init__(self, code: str, text: str, pointer: str = "") -> None:
        super().__init__(400, code, f"{text}, at {pointer}" if pointer else text)
        self.pointer = pointer


def read_json(body: bytes, decoder: msgspec.json.Decoder[_T]) -> _T:
    """What a body says. None at all is an empty object: clients leave out bodies in which they have nothing to say.

    Raises:
        BodyError: it is not JSON, or not of the decoder's type.
    """
    body = body or b"{}"
    try:
        found = decoder.decode(body)
        _members.decode(body.decode())
    except _DuplicateError as error:
        raise BodyError("bad-json", str(error)) from None
    except RecursionError:
        raise BodyError("bad-json", "The body is nested too deep") from None
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except ValueError as error:  # msgspec's and Python's decoders, and text that is not UTF-8
        raise BodyError("bad-json", f"The body is not JSON: {error}") from None
    return found


class _DuplicateError(ValueError):
    pass


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len(dict(pairs)) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _DuplicateError(f"The body has the member {json.dumps(twice[:64])} twice in one object")


_members: Final = json.JSONDecoder(object_pairs_hook=_refuse_duplicates)
"""msgspec says nothing of members that come twice. This costs half a microsecond for an object."""


def _invalid(text: str) -> BodyError:
    """What msgspec says of a value, such as "Expected `str`, got `int` - at `$.messages[0].body`"."""
    found = _place(text)
    if found is None:
        return BodyError("invalid-body", text)
    steps = [step[1] if step[1] is not None else step[2] for step in _steps(found[2])]
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return BodyError("invalid-body", text[: found.start()], pointer)
