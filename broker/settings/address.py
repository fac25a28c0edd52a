"""An address to listen on: `HOST:PORT`, and whether it can be reached from other machines."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["ListenAddress"]

# IPv6 in brackets, as in a URL (RFC 3986 §3.2.2); anything else has no colon in it.
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})", re.ASCII)
_PORT_MAX = 65535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a front-end listens.

    Attributes:
        host: an IPv4 or IPv6 address (without brackets), or a name of this machine.
        port: 0 to 65535; 0 lets the system choose a free one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> ListenAddress:
        """Read `"127.0.0.1:61613"`, `"[::1]:61613"` or `"localhost:61613"`.

        Raises:
            ValueError: it is none of these; the text goes on after `is "localhost", `.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None or int(match[3]) > _PORT_MAX:
            raise ValueError("not HOST:PORT or [IPV6]:PORT")
        if match[1] is not None:
            return cls(_checked_ipv6(match[1]), int(match[3]))
        return cls(match[2], int(match[3]))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect. A name other than localhost counts as not: it is not looked up."""
        if self.host in ("127.0.0.1", "::1", "localhost"):
            return True
        import ipaddress  # 3 ms, and hardly ever needed

        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def _checked_ipv6(host: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise ValueError("with no valid IPv6 address in its brackets") from None
