"""Where a subscriber's URL leads: the parts of it that a request is made of. Nothing is looked up here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

__all__ = ["InvalidTargetError", "Target"]

_PORTS: Final = {"http": 80, "https": 443}
_URL_BYTES_MAX: Final = 8 << 10
"""As much as servers take for a request's target (RFC 9112 §3: at least 8000 octets)."""
# What RFC 3986 §2 lets stand in a URL. urlsplit would drop a tab or a line's end in silence, and reads a backslash
# otherwise than browsers do.
_is_url = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*").fullmatch
# Also the odd forms of addresses, which are the resolver's to read.
_is_host = re.compile(r"[A-Za-z0-9._:-]{1,253}").fullmatch


class InvalidTargetError(ValueError):
    """A URL that messages can't be pushed to; the text says why, and goes on from "the URL"."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a URL.

    Attributes:
        secure: it is https.
        host: a name, or an address without brackets.
        port: of TCP.
        path: what is asked for: path and query.
    """

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Target:
        """Take a URL apart.

        Raises:
            InvalidTargetError: it is no URL, not http or https, or has a user name or password in it: they would be
                shown to whoever looks at the queue, and are better given as a header `Authorization`.
        """
        if len(url) > _URL_BYTES_MAX or not _is_url(url):
            raise InvalidTargetError(f"has more than {_URL_BYTES_MAX} characters, or some that have to be encoded")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise InvalidTargetError("is malformed") from None
        if parts.scheme not in _PORTS:
            raise InvalidTargetError("is neither http nor https")
        if "@" in parts.netloc:
            raise InvalidTargetError("has a user in it: give a header 'Authorization' instead")
        if host is None or not _is_host(host) or port == 0:
            raise InvalidTargetError("has no host, or one that can't be")
        query = f"?{parts.query}" if parts.query else ""
        return cls(parts.scheme == "https", host, port or _PORTS[parts.scheme], (parts.path or "/") + query)

    @property
    def authority(self) -> str:
        """The value of the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"
