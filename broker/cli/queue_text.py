"""What `segue queue` prints of a queue: how it stands, who consumes from it, and who says what it does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from segue.broker.cli.text import age, count, message_range, printable, rate, size, table, time_text

__all__ = ["queue_table", "queue_text", "why_text"]

_Row = Mapping[str, Any]

_COLUMNS: Final = (
    "queue", "ready", "in flight", "returned", "settled", "bytes", "segments", "oldest", "publish/s", "deliver/s",
    "ack/s", "consumers",
)  # fmt: skip
_OPTION_COLUMNS: Final = ("option", "value", "from")
_CONSUMER_COLUMNS: Final = ("connection", "user", "peer", "prefetch", "in flight", "state")
_COUNTED: Final = {
    "delayed": "delayed",
    "dead_lettered": "dead letters",
    "discarded": "given up",
    "expired": "expired",
    "dropped": "dropped",
    "remembered_ids": "deduplication ids",
    "remembered_producers": "producers",
}
"""What is shown where there is any of it, and what it is called."""


def queue_table(rows: Sequence[_Row]) -> str:
    """Queues, a line for each."""
    return table((*_COLUMNS, "state"), ([*_row(row), _state(row)] for row in rows), right=range(1, len(_COLUMNS)))


def queue_text(queue: _Row) -> str:
    """One queue: what every queue has, what this one has besides, and its consumers."""
    lines = [*zip(_COLUMNS, _row(queue), strict=True), *_details(queue)]
    width = max(len(name) for name, _ in lines)
    text = "\n".join(f"{name.ljust(width)}  {printable(value)}" for name, value in lines)
    for damaged in queue["set_aside"]:
        text += f"\nset aside: {message_range(damaged['first'], damaged['last'])}: {printable(damaged['reason'])}"
    if queue["consumed_by"]:
        text += "\n\n" + table(_CONSUMER_COLUMNS, map(_consumer_row, queue["consumed_by"]), right=(0, 3, 4))
    return text


def why_text(options: Sequence[_Row]) -> str:
    """Each option, its value and who says so; and who says something else and is not heard."""
    text = table(_OPTION_COLUMNS, (_option_row(option["option"], option) for option in options))
    overruled = [_option_row(option["option"], claim) for option in options for claim in option["overruled"]]
    return text + "\n\nOverruled:\n" + table(_OPTION_COLUMNS, overruled) if overruled else text


def _row(row: _Row) -> list[str]:
    rates = row["rates"]
    return [
        row["name"],
        count(row["ready"]),
        count(row["in_flight"]),
        count(row["returned"]),
        count(row["settled"]),
        size(row["bytes"]),
        count(row["segments"]),
        age(row["oldest_age_seconds"]),
        rate(rates["publish"]),
        rate(rates["deliver"]),
        rate(rates["acknowledge"]),
        count(row["consumers"]),
    ]


def _state(row: _Row) -> str:
    """What keeps messages of a queue from going out."""
    states = {"paused": row["paused"], "look-ahead full": row["look_ahead_full"]}
    return ", ".join(name for name, is_so in states.items() if is_so)


def _details(queue: _Row) -> Iterator[tuple[str, str]]:
    yield "created", time_text(queue["created_ms"])
    yield "deleted with its last consumer", "yes" if queue["auto_delete"] else "no"
    yield "log", str(queue["log"])
    if queue["exclusive_to"] is not None:
        yield "belongs to connection", str(queue["exclusive_to"])
    if queue["bindings"]:
        yield "bound to topics", ", ".join(queue["bindings"])
    if queue["levels"]:
        yield "ready by level", ", ".join(map(_level_text, queue["levels"]))
    if queue["waiting_bytes"] is not None:
        yield "waiting", f"{size(queue['waiting_bytes'])} of {size(queue['options']['bytes_max'])}"
    for name, text in _COUNTED.items():
        if queue[name]:
            yield text, count(queue[name])
    if queue["passed_over"] or queue["groups"]:
        yield "passed over", count(queue["passed_over"])
        yield "groups that are busy", count(queue["groups"])
    if queue["look_ahead_full"]:
        yield "LOOK-AHEAD FULL", "what is behind waits, though a consumer could have it: limits.queue_look_ahead_max"
    if queue["paused"]:
        yield "PAUSED", "`segue queue resume` lets it deliver again"
    if queue["fault"]:
        yield "FAULT", queue["fault"]


def _level_text(level: _Row) -> str:
    """`9: 1,200`; without a number what is left of a queue that has no priorities any more."""
    return f"{'rest' if level['level'] is None else level['level']}: {count(level['ready'])}"


def _consumer_row(row: _Row) -> list[str]:
    prefetch = "auto" if row["prefetch"] is None else count(row["prefetch"])
    states = [
        "full" if row["output_full"] else "",
        "stands by" if row["stands_by"] else "",
        "exclusive" if row["exclusive"] else "",
        f"rank {row['rank']}" if row["rank"] else "",
        f"selects {row['selector']}" if row["selector"] else "",
    ]
    state = "; ".join(filter(None, states))
    return [str(row["connection"]), row["user"], row["peer"], prefetch, count(row["in_flight"]), state]


def _option_row(option: str, claim: _Row) -> list[str]:
    value = claim["value"]
    source = {
        "client": "declared by a client",
        "policy": f"policy {claim['policy']} ({claim['priority']})" + (", set" if claim["was_set"] else ""),
        "default": "default",
    }
    shown = json.dumps(value) if isinstance(value, bool) else "-" if value in (None, "") else str(value)
    return [option, shown, source[claim["from"]]]
