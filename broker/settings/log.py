"""`[log]`: what is written to stderr."""

from __future__ import annotations

from dataclasses import dataclass

from segue.broker.settings.keys import choice, count, seconds

__all__ = ["Log"]


@dataclass(frozen=True, slots=True)
class Log:
    """What is written to stderr: one line an event."""

    level: str = choice(
        "info",
        ("debug", "info", "warning", "error"),
        "The least severe events that are written.",
    )
    format: str = choice(
        "text",
        ("text", "json"),
        "`text`: time, level, event, then key=value. `json`: one object a line.",
    )

    # journald takes 10,000 lines of a service in 30 s (RateLimitBurst) and drops what is more, ours and theirs alike;
    # one event that repeats itself must not use that up.
    event_burst_max: int = count(
        100,
        "lines",
        "How many lines of the same event are written in a row. What is more is counted, and the number written with "
        "the next line of that event.",
        minimum=1,
        maximum=1_000_000,
    )
    event_interval_seconds: float = seconds(
        0.1,
        "How long it takes until one more line of an event that used up its burst is written.",
        minimum=0,
        maximum=3600,
    )

    # 1024 lines of at most 4 KiB: 4 MiB, a second or two of a burst.
    queue_lines_max: int = count(
        1_024,
        "lines",
        "How many lines wait when what reads stderr is slow. Further ones are dropped and counted; the broker never "
        "waits.",
        minimum=16,
        maximum=65_536,
    )
