"""A log that keeps its events, for whoever wants to see what was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segue.broker.log_lines import LogLevels, LogStatistics
from segue.broker.log_text import format_line

__all__ = ["LogEvent", "RecordedLog"]


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event as it was logged.

    Attributes:
        level: one of `segue.broker.log_lines.LEVELS`.
        event: its name.
        fields: what was given with it.
    """

    level: str
    event: str
    fields: Mapping[str, object]


class RecordedLog(LogLevels):
    """A `segue.broker.log_lines.Log`.

    Attributes:
        events: all of them, in order.
    """

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def statistics(self) -> LogStatistics:
        """Every line counts as written."""
        return LogStatistics(len(self.events), 0, 0)

    def named(self, event: str) -> list[LogEvent]:
        """List the events of one name."""
        return [one for one in self.events if one.event == event]

    def _log(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        # Also formatted, so that a field that can't be written fails the test and not the daemon.
        format_line(0.0, level, event, fields)
        self.events.append(LogEvent(level, event, dict(fields)))
