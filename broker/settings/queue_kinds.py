"""The kinds of value that policies have: a pattern on names of queues, the name of one, a time in a queue."""

from __future__ import annotations

from collections.abc import Callable

from segue.broker.names import InvalidNameError, check_queue_name, check_visible
from segue.broker.settings.faults import show_value
from segue.broker.settings.kinds import Kind, quote, told, whole_number
from segue.broker.settings.quantity import parse_milliseconds

__all__ = ["Milliseconds", "QueueName", "QueuePattern"]


class QueuePattern(Kind[str]):
    """A pattern on names of queues: `*` stands for any run of characters, nothing else is special. Empty for none."""

    example = '"orders.*"'

    def read(self, raw: object) -> str:
        return "" if raw == "" else _checked(raw, check_visible, "a pattern on names of queues")

    def toml(self, value: str) -> str:
        return quote(value)

    def plain(self, value: str) -> object:
        return value


class QueueName(Kind[str]):
    """The name of a queue; empty for none."""

    example = '"dead-letters"'

    def read(self, raw: object) -> str:
        return "" if raw == "" else _checked(raw, check_queue_name, "the name of a queue")

    def toml(self, value: str) -> str:
        return quote(value)

    def plain(self, value: str) -> object:
        return value


class Milliseconds(Kind[int]):
    """A duration in whole milliseconds, for times that protocols have in milliseconds, too."""

    unit = "milliseconds"
    example = '"7 d"'

    def read(self, raw: object) -> int:
        if isinstance(raw, str):
            return told(raw, parse_milliseconds)
        return whole_number(raw, "a number of milliseconds")

    def toml(self, value: int) -> str:
        return str(value)

    def plain(self, value: int) -> object:
        return value

    def show(self, value: int) -> str:
        return f"{value} ms"


def _checked(raw: object, check: Callable[[str], str], what: str) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"is {show_value(raw)}, not {what}")
    try:
        return check(raw)
    except InvalidNameError as failure:
        raise ValueError(f"is {show_value(raw)}, not {what}: {failure.reason}") from None
