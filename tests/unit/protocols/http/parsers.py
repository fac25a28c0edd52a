"""The parsers of heads: whatever is said of one is true of each."""

from __future__ import annotations

from typing import Final

from segue.protocols.http import h11_heads, httptools_heads
from segue.protocols.http.codec import HeadParser

__all__ = ["PARSERS"]

PARSERS: Final[dict[str, HeadParser]] = {"h11": h11_heads.parse_head, "httptools": httptools_heads.parse_head}
