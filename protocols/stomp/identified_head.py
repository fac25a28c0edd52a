"""Heads of SEND frames that differ in one line alone, the one that tells a message from all others.

A producer that gives each message an id, or a number, never sends the same head twice; one that spreads messages over a
thousand groups does so seldom. What all of them have in common is kept once, as a `SharedHead` with a stand-in for the
value; a frame's own head is that and the value.
"""

from __future__ import annotations

from typing import Final

from segue.protocols.stomp.frames import SendHead, encode_block

__all__ = ["IDENTITY_NAMES", "VARYING_NAMES", "IdentifiedHead", "SharedHead", "escaped"]

IDENTITY_NAMES: Final = ("dedup-id", "_AMQ_DUPL_ID", "sequence-id")
VARYING_NAMES: Final = ("correlation-id", "JMSXGroupID", "_AMQ_GROUP_ID")
"""Headers whose value, if there is one, does not matter to where a message goes, nor to the RECEIPT. The first of them
that a head has is the one in which it may differ from others, if none of `IDENTITY_NAMES` is there."""
_STAND_IN: Final = "0"
"""A value that any of these headers may have."""


class SharedHead(SendHead):
    """What heads have in common.

    Attributes:
        name: of the line in which they differ.
        before, after: their blocks without it, as `SendHead.block`.
    """

    __slots__ = ("after", "before", "name")

    def __init__(self, headers: dict[str, str], name: str) -> None:
        """`headers`: of one of them."""
        super().__init__({**headers, name: _STAND_IN}, b"")
        items = list(headers.items())
        at = list(headers).index(name)
        self.name: Final = name
        self.before: Final = encode_block(items[:at]) + name.encode() + b":"
        self.after: Final = b"\n" + encode_block(items[at + 1 :])


class IdentifiedHead:
    """As `SendHead`, for one frame.

    Attributes:
        shared: what it has in common with others, the session's `route` too.
        value: of the line in which it differs, as it came: printable ASCII without a backslash.
    """

    __slots__ = ("shared", "value")

    def __init__(self, shared: SharedHead, value: bytes) -> None:
        self.shared: Final = shared
        self.value: Final = value

    @property
    def destination(self) -> str:
        """See `SendHead`."""
        return self.shared.destination

    @property
    def headers(self) -> dict[str, str]:
        """See `SendHead`."""
        return {**self.shared.headers, self.shared.name: self.value.decode()}

    @property
    def block(self) -> bytes:
        """See `SendHead`."""
        shared = self.shared
        return shared.before + escaped(self.value) + shared.after

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
        if not isinstance(other, IdentifiedHead | SendHead):
            return NotImplemented
        return self.headers == other.headers and self.block == other.block

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"IdentifiedHead({self.headers!r}, {self.block!r})"


def escaped(value: bytes) -> bytes:
    """The value of an `IdentifiedHead` as it stands in a block."""
    return value.replace(b":", b"\\c")
