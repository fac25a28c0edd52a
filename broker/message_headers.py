"""The headers of a new message as its publisher gives them, where he does not send them in a frame of his own.

What the broker obeys in the headers of STOMP's SEND is said in other ways there: by arguments, by members of an object.
It ends in the same headers, so that consumers see no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

__all__ = ["FOR_CLIENTS", "OBEYED", "RESERVED", "HeaderLines", "InvalidHeaderError", "header_lines"]

HeaderLines: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values, in their order."""

RESERVED: Final = frozenset(
    {
        *("ack", "browser", "content-length", "destination", "message-id", "persistent", "receipt", "receipt-id"),
        *("redelivered", "retained-topic", "subscription", "transaction", "x-delivery-count"),
    }
)
"""The broker's own words."""
OBEYED: Final = {
    **dict.fromkeys(("delay", "x-delay", "AMQ_SCHEDULED_DELAY"), "delay_ms"),
    **dict.fromkeys(("deliver-at", "AMQ_SCHEDULED_TIME", "_AMQ_SCHED_DELIVERY"), "deliver_at_ms"),
    **dict.fromkeys(("expiration", "expires"), "ttl_ms"),
    **dict.fromkeys(("dedup-id", "_AMQ_DUPL_ID"), "dedup_id"),
    **dict.fromkeys(("JMSXGroupID", "_AMQ_GROUP_ID"), "group"),
    "priority": "priority",
}
"""Headers of STOMP's SEND that are obeyed there, and by what they are said here."""
FOR_CLIENTS: Final = frozenset(
    {
        *("AMQ_SCHEDULED_CRON", "AMQ_SCHEDULED_PERIOD", "AMQ_SCHEDULED_REPEAT"),
        *("producer-name", "retain", "sequence-id"),
    }
)
"""Headers that are obeyed there, and can't be here."""
_HEADER_CHARACTERS_MAX: Final = 32 << 10
"""Half of what STOMP clients may send in a frame, so that any client can take it."""


class InvalidHeaderError(ValueError):
    """A header can't be given; the text says why.

    Attributes:
        name: of the header.
        said_by: what says the same instead, as in `OBEYED`; empty where nothing does.
    """

    def __init__(self, name: str, problem: str, said_by: str = "") -> None:
        super().__init__(problem)
        self.name = name
        self.said_by = said_by


def header_lines(
    destination: str,
    headers: Iterable[tuple[str, str]],
    *,
    ttl_ms: int = 0,
    priority: int | None = None,
    group: str = "",
    dedup_id: str = "",
) -> HeaderLines:
    """The headers of a message: what is said otherwise, then those that were given.

    Raises:
        InvalidHeaderError: one has no name, or one that is not free, or stands there twice; or they are too long.
    """
    said = {
        "expiration": str(ttl_ms) if ttl_ms else "",
        "priority": "" if priority is None else str(priority),
        "JMSXGroupID": group,
        "dedup-id": dedup_id,
    }
    given = _checked(headers)
    lines = (("destination", destination), *[one for one in said.items() if one[1]], *given.items())
    if sum(len(name) + len(value) for name, value in lines) > _HEADER_CHARACTERS_MAX:
        raise InvalidHeaderError("", f"the headers have more than {_HEADER_CHARACTERS_MAX} characters")
    return lines


def _checked(headers: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    given: dict[str, str] = {}
    for name, value in headers:
        if not name:
            raise InvalidHeaderError(name, "a header has no name")
        if name in RESERVED:
            raise InvalidHeaderError(name, f"the header '{name}' is the broker's: it can't be set")
        if name in FOR_CLIENTS:
            raise InvalidHeaderError(name, f"the header '{name}' is for clients of STOMP alone")
        if name in OBEYED:
            raise InvalidHeaderError(name, f"the header '{name}' is what '{OBEYED[name]}' says", OBEYED[name])
        if name in given:
            raise InvalidHeaderError(name, f"the header '{name}' is there twice: consumers would see the first only")
        given[name] = value
    return given
