"""A message as operators see it. No I/O."""

from __future__ import annotations

import base64
import codecs
from typing import Any

__all__ = ["show_body"]


def show_body(body: bytes, bytes_max: int) -> dict[str, Any]:
    """A body, or its beginning: as text where it is UTF-8, else in base64."""
    shown = body[:bytes_max]
    fields: dict[str, Any] = {"body_bytes": len(body), "body_cut": len(shown) < len(body)}
    text = _as_text(shown, is_cut=fields["body_cut"])
    if text is not None:
        fields["body"] = text
    else:
        fields["body_base64"] = base64.b64encode(shown).decode()
    return fields


def _as_text(body: bytes, *, is_cut: bool) -> str | None:
    try:
        # What a cut leaves of a character is held back by the decoder.
        return codecs.getincrementaldecoder("utf-8")().decode(body, final=not is_cut)
    except UnicodeDecodeError:
        return None
