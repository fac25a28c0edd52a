"""Heads of SEND frames that differ in the values of a few lines, such as the one that tells a message from all others.

A producer that gives each message an id, a number, a group or a trace never sends the same head twice. What all of them
have in common is kept once, as a `SharedHead` with stand-ins for the values; a frame's own head is that and its values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from segue.protocols.stomp.frames import BROKER_HEADERS, SendHead, encode_block
from segue.protocols.stomp.header_rules import MEANINGFUL_ON_SEND

__all__ = ["GAP", "IDENTITY_NAMES", "SharedHead", "VaryingHead", "escaped", "may_vary"]

IDENTITY_NAMES: Final = ("dedup-id", "_AMQ_DUPL_ID", "sequence-id")
"""What makes a message a repeat of another."""
_GROUP_NAMES: Final = ("JMSXGroupID", "_AMQ_GROUP_ID")
_FIXED_NAMES: Final = (MEANINGFUL_ON_SEND | BROKER_HEADERS | {"destination", "content-length", "receipt"}) - {
    *IDENTITY_NAMES,
    *_GROUP_NAMES,
}
_STAND_IN: Final = "0"
"""A value that any of these headers may have."""
GAP: Final = b"\1"
"""Stands for each value in the block of a `SharedHead`; no other header of it may have this octet."""


def may_vary(name: str) -> bool:
    """True for headers whose value matters neither to where a message goes nor to how it is confirmed.

    That are those that mean nothing to us, groups, and what makes a message a repeat, which is read from each.
    """
    return name not in _FIXED_NAMES


class SharedHead(SendHead):
    """What heads have in common. In its block there is a `GAP` for each value; `headers` have stand-ins.

    Attributes:
        names: of the lines in which they differ, in their order.
        identity_at: which of the values makes a message a repeat; -1 for none.
    """

    __slots__ = ("identity_at", "names")

    def __init__(self, headers: dict[str, str], names: Sequence[str]) -> None:
        """`headers`: of one of them; `names`: at least one, all of which it has."""
        block = encode_block({**headers, **dict.fromkeys(names, GAP.decode())}.items())
        super().__init__({**headers, **dict.fromkeys(names, _STAND_IN)}, block)
        self.names: Final = tuple(names)
        self.identity_at: Final = next((at for at, name in enumerate(names) if name in IDENTITY_NAMES), -1)


class VaryingHead:
    """As `SendHead`, for one frame.

    Attributes:
        shared: what it has in common with others, the session's `route` too.
        values: of the lines in which it differs, as they came: printable ASCII without a backslash.
    """

    __slots__ = ("shared", "values")

    def __init__(self, shared: SharedHead, values: tuple[bytes, ...]) -> None:
        self.shared = shared
        self.values = values

    @property
    def destination(self) -> str:
        """See `SendHead`."""
        return self.shared.destination

    @property
    def headers(self) -> dict[str, str]:
        """See `SendHead`."""
        return {**self.shared.headers, **dict(zip(self.shared.names, map(bytes.decode, self.values), strict=True))}

    @property
    def block(self) -> bytes:
        """See `SendHead`."""
        before, *between = self.shared.block.split(GAP)
        pieces = zip(map(escaped, self.values), between, strict=True)
        return before + b"".join([value + rest for value, rest in pieces])

    @property
    def transaction(self) -> str | None:
        """See `SendHead`."""
        return self.shared.transaction

    @property
    def route(self) -> object | None:
        """Of all heads that share this one's lines."""
        return self.shared.route

    @route.setter
    def route(self, route: object | None) -> None:
        self.shared.route = route

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VaryingHead | SendHead):
            return NotImplemented
        return self.headers == other.headers and self.block == other.block

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"VaryingHead({self.headers!r}, {self.block!r})"


def escaped(value: bytes) -> bytes:
    """A value of a `VaryingHead` as it stands in a block."""
    return value.replace(b":", b"\\c")
