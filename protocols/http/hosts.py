"""The names by which a peer may ask for us.

A page in a browser may have a name of its own lead to 127.0.0.1 (DNS rebinding), and would then speak to a broker that
trusts whoever is on its machine. The browser says in `Host` whom it believes to speak to: addresses and `localhost`
can't be led elsewhere; all other names have to be known.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from segue.protocols.http.errors import HttpError

__all__ = ["HostNames"]

_KNOWN_MAX = 256


class HostNames:
    """See the module."""

    def __init__(self, names: Iterable[str]) -> None:
        """`names`: besides addresses and `localhost`; `*` for any."""
        self._names = {name.lower() for name in names}
        self._known: set[str] = set()  # values that have been looked at: there are few

    def check(self, host: str) -> None:
        """Raises HttpError: 403: `host`, the value of the header, is none of them."""
        if host in self._known:
            return
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        name = name.lower().rstrip(".")
        if "*" not in self._names and name not in self._names and not _leads_here(name):
            text = f"'{host[:100]}' is not a name of this broker: use an address, or add the name to http.host_names"
            raise HttpError(403, "unknown-host", text)
        if len(self._known) < _KNOWN_MAX:
            self._known.add(host)


def _leads_here(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
