"""What a queue does beyond holding messages: its options, and those of a declaration as the catalog keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

__all__ = ["DROP_OLDEST", "NO_OPTIONS", "PRIORITY_MAX", "REFUSE", "QueueOptions", "declared_options"]

DROP_OLDEST: Final = "drop-oldest"
REFUSE: Final = "refuse"
PRIORITY_MAX: Final = 255
"""The highest `priority_max`: a priority is an octet in AMQP."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Options of one queue. A default is what nobody can declare: whatever is declared differs from it.

    Attributes:
        dead_letter: the queue that takes what can't be consumed; empty: that is given up.
        delivery_limit: after so many deliveries a message that comes back is a dead letter; 0 for no limit.
        message_ttl_ms: how long a message may be in the queue, None for as long as it says itself.
        messages_max: most messages that wait in the queue, what is with consumers not counted; None for no limit.
        bytes_max: most bytes of them; likewise.
        overflow: what happens then, `DROP_OLDEST` or `REFUSE` the publisher; None is `DROP_OLDEST`, too.
        expires_ms: how long it may go unused before it is deleted; None for ever.
        priority_max: the highest priority; messages are delivered by it. 0: in the order in which they came.
        deduplication_window_ms: how long deduplication ids are remembered; None for ten minutes.
        deduplication_ids_max: how many of them are, at most; None for 100,000.
        single_active: one consumer at a time is served; the others stand by.
        redelivery_delay_ms: how much later a message comes again that a consumer returns; 0 for at once.
        redelivery_multiplier: by this it grows with every delivery.
        redelivery_delay_max_ms: but not beyond this; 0 for no bound.
    """

    dead_letter: str = ""
    delivery_limit: int = 0
    message_ttl_ms: int | None = None
    messages_max: int | None = None
    bytes_max: int | None = None
    overflow: str | None = None
    expires_ms: int | None = None
    priority_max: int = 0
    deduplication_window_ms: int | None = None
    deduplication_ids_max: int | None = None
    single_active: bool = False
    redelivery_delay_ms: int = 0
    redelivery_multiplier: int = 1
    redelivery_delay_max_ms: int = 0

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> QueueOptions:
        """The options that a queue was declared with, without any policy."""
        return cls(**declared_options(definition))

    def as_definition(self) -> dict[str, Any]:
        """What differs from the defaults, for a log's definition."""
        return {name: value for name, value in asdict(self).items() if value != getattr(NO_OPTIONS, name)}


NO_OPTIONS = QueueOptions()


def declared_options(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Those in a log's definition, by name. What only a newer Segue knows is passed over."""
    kept = definition.get("options", {})
    return {name: kept[name] for name in QueueOptions.__slots__ if name in kept}
