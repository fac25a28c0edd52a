"""Priorities of messages, and the levels that a queue sorts them into.

A queue with the option `priority_max` knows the priorities 0 to `priority_max`, of which the highest is delivered
first. It has a *level* for each of them, but eleven at most: RabbitMQ takes up to 255, and advises against more than
ten, because each costs something. Eleven, so that its most usual value, 10, has a level for each priority.
"""

from __future__ import annotations

from typing import Final

from segue.broker.headers import Headers
from segue.broker.queue_options import PRIORITY_MAX

__all__ = ["HEADER", "Scale", "priority_of"]

HEADER: Final = "priority"
_LEVEL_MAX: Final = 10
_DIGITS_MAX: Final = 18
"""A number of more digits than that is nobody's priority, and thousands of digits take long to read."""


class Scale:
    """The priorities of one queue.

    Attributes:
        priority_max: the highest; what is higher counts as this one.
        level_max: the highest level; the lowest is 0.
        middle: the level of messages that say nothing, 4 of 0 to 9 as in JMS.
    """

    __slots__ = ("level_max", "middle", "priority_max")

    def __init__(self, priority_max: int) -> None:
        assert 1 <= priority_max <= PRIORITY_MAX
        self.priority_max = priority_max
        self.level_max = min(priority_max, _LEVEL_MAX)
        self.middle = self.level_max // 2

    def level(self, priority: int | None) -> int:
        """Where messages of a priority go; None for those that have none."""
        if priority is None:
            return self.middle
        known = max(0, min(priority, self.priority_max))
        return known if self.priority_max == self.level_max else known * (_LEVEL_MAX + 1) // (self.priority_max + 1)


def priority_of(record: bytes) -> int | None:
    """The priority of a stored message; None where it says none, or something that is no number."""
    text = Headers(record).get(HEADER)
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > _DIGITS_MAX:
        return None
    return int(text)
