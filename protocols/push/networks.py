"""Which addresses a subscriber may have: those of the internet, and those that an operator allows.

Whoever may configure a push queue chooses where this machine connects to. Without a rule that would be a way to its
own ports, to its neighbours behind the firewall, and to the credentials that clouds hand out at 169.254.169.254
(server-side request forgery). So an address is refused unless it is one that the whole internet can reach anyway, or is
in a network of `push.allow_addresses`.

Only addresses are judged, as the resolver gives them: however one is written (`127.1`, `0x7f000001`), and whatever name
leads to it. An IPv6 address that carries one of IPv4 leads where that one does, and is judged by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from segue.broker.settings.networks import Network

__all__ = ["AddressRules"]

_Address: TypeAlias = IPv4Address | IPv6Address

_REFUSED: Final[tuple[tuple[str, tuple[Network, ...]], ...]] = tuple(
    (what, tuple(map(ip_network, networks)))
    for what, networks in (
        # The registries of special-purpose addresses, RFC 6890; of IPv6, what is outside of 2000::/3 is added below.
        ("loopback", ("127.0.0.0/8", "::1")),
        ("unspecified", ("0.0.0.0/8", "::")),
        ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
        ("link-local", ("169.254.0.0/16", "fe80::/10")),  # with the metadata of most clouds
        ("shared", ("100.64.0.0/10",)),  # carrier-grade NAT; also the metadata of Alibaba Cloud
        ("multicast", ("224.0.0.0/4", "ff00::/8")),
        ("documentation", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")),
        ("protocol", ("192.0.0.0/24", "192.88.99.0/24", "2001::/23")),  # with Teredo; the metadata of Oracle Cloud
        ("benchmark", ("198.18.0.0/15",)),
        ("reserved", ("240.0.0.0/4",)),  # and the broadcast address
        ("metadata", ("168.63.129.16/32",)),  # a public address, by which machines in Azure reach their host
    )
)
_GLOBAL: Final = IPv6Network("2000::/3")
"""All of IPv6 that has been given out for use on the internet."""
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")


class AddressRules:
    """See the module."""

    def __init__(self, allowed: Iterable[Network]) -> None:
        """`allowed`: networks that are no longer refused."""
        self._allowed = tuple(allowed)

    def refusal(self, address: str) -> str | None:
        """What kind of address this is that it is refused; None for one that may be connected to.

        Args:
            address: as `getaddrinfo` gives it, numeric.
        """
        outer = ip_address(address.partition("%")[0])
        inner = _embedded(outer)
        forms = [outer] if inner is None else [outer, inner]
        if any(form in network for form in forms for network in self._allowed):
            return None
        return _kind(outer if inner is None else inner)


def _kind(address: _Address) -> str | None:
    for what, networks in _REFUSED:
        if any(address in network for network in networks):
            return what
    return None if address.version == 4 or address in _GLOBAL else "reserved"


def _embedded(address: _Address) -> IPv4Address | None:
    """The address of IPv4 that one of IPv6 leads to: mapped, by NAT64 (RFC 6052), by 6to4 (RFC 3056)."""
    if isinstance(address, IPv4Address):
        return None
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)
    return None
