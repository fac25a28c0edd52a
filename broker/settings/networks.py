"""A kind of value: networks of addresses, as routing tables have them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias

from segue.broker.settings.faults import show_value
from segue.broker.settings.kinds import Kind, quote

__all__ = ["Network", "Networks"]

Network: TypeAlias = IPv4Network | IPv6Network


class Networks(Kind[tuple[Network, ...]]):
    """Networks, each `ADDRESS/BITS`, or one address."""

    example = '["10.1.0.0/16", "::1"]'

    def read(self, raw: object) -> tuple[Network, ...]:
        if not isinstance(raw, list | tuple):
            raise ValueError(f"is {show_value(raw)}, not a list of networks")
        return tuple(map(_read_one, raw))

    def read_text(self, text: str) -> tuple[Network, ...]:
        return self.read([part.strip() for part in text.split(",")] if text.strip() else [])

    def toml(self, value: tuple[Network, ...]) -> str:
        return f"[{', '.join(quote(str(network)) for network in value)}]"

    def plain(self, value: tuple[Network, ...]) -> object:
        return list(map(str, value))


def _read_one(raw: object) -> Network:
    if not isinstance(raw, str):
        raise ValueError(f"has {show_value(raw)}, not a network, in its list")
    try:
        return ip_network(raw)
    except ValueError:
        raise ValueError(f"has {show_value(raw)}, not a network, in its list") from None
