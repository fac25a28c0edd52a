"""What a job is to do, as an operator has ordered it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

__all__ = ["JobKind", "JobOrder"]


class JobKind(StrEnum):
    """What becomes of a message."""

    MOVE = "move"
    """It goes to another queue as it is."""
    COPY = "copy"
    """The same, and it stays."""
    REDRIVE = "redrive"
    """A dead letter goes back to where it came from, or elsewhere, as its sender has sent it."""


@dataclass(frozen=True, slots=True)
class JobOrder:
    """An order.

    Attributes:
        kind: what becomes of the messages.
        queue: whose messages.
        to: the queue that takes them; empty for a redrive to where each came from.
        filter: a selector; empty for all messages.
        rate: most messages a second; 0 for no limit.
        messages_max: most messages; 0 for no limit.
        dry_run: only count what would be done.
    """

    kind: JobKind
    queue: str
    to: str = ""
    filter: str = ""
    rate: int = 0
    messages_max: int = 0
    dry_run: bool = False

    @property
    def settles(self) -> bool:
        """True when what is passed on leaves the queue."""
        return self.kind is not JobKind.COPY

    def as_definition(self) -> dict[str, Any]:
        """For the catalog."""
        return asdict(self)

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> JobOrder:
        """As it stood in the catalog; what only another Segue knows is passed over."""
        known = {field.name: definition[field.name] for field in fields(cls) if field.name in definition}
        return cls(**known | {"kind": JobKind(definition["kind"])})
