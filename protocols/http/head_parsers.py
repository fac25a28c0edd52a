"""Which parser reads the heads of requests: `http.parser` of the settings, and what is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from segue.broker.frontends import FrontEndError
from segue.protocols.http.codec import HeadParser

__all__ = ["head_parser"]


def head_parser(name: str, find: Callable[[str], object | None] = find_spec) -> HeadParser:
    """The parser of this name; for `auto`, the fastest there is.

    Args:
        name: `auto`, `h11` or `httptools`.
        find: finds a module, or None.

    Raises:
        FrontEndError: it is not installed.
    """
    installed = find("httptools") is not None
    if name == "httptools" and not installed:
        raise FrontEndError("http.parser is httptools, which is not installed: pip install httptools")
    if name == "h11" or not installed:
        from segue.protocols.http import h11_heads

        return h11_heads.parse_head
    from segue.protocols.http import httptools_heads

    return httptools_heads.parse_head
