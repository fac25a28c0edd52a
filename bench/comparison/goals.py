"""What Segue has to reach in one campaign, and whether it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from segue.bench.comparison.records import Records
from segue.bench.comparison.scenarios import DEEP, IDLE, MANY_QUEUES, SHALLOW_DRAIN

__all__ = ["Goal", "Verdict", "verdicts"]

_OURS = "segue"
_THEIRS = "rabbitmq-quorum"
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure and its bound.

    Attributes:
        title: what is measured.
        bound: the bound as a number.
        at_most: whether less is better.
        unit: how number and bound are written, with `{}` for the number.
        figure: takes it from the records; None when it was not measured.
    """

    title: str
    bound: float
    at_most: bool
    unit: str
    figure: Callable[[Records], float | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and what was measured; `met` is None when nothing was."""

    goal: Goal
    value: float | None
    met: bool | None


def verdicts(records: Records) -> Iterator[Verdict]:
    """All goals, judged."""
    for goal in _GOALS:
        value = goal.figure(records)
        met = None if value is None else (value <= goal.bound if goal.at_most else value >= goal.bound)
        yield Verdict(goal, value, met)


def _ratio(scenario: str, *path: str) -> Callable[[Records], float | None]:
    """Ours as a multiple of RabbitMQ's with quorum queues."""
    return lambda records: _quotient(records.value(_OURS, scenario, *path), records.value(_THEIRS, scenario, *path))


def _ours(scenario: str, *path: str, scale: float = 1.0) -> Callable[[Records], float | None]:
    return lambda records: _quotient(records.highest(_OURS, scenario, *path), scale)


def _over_bare_write(records: Records) -> float | None:
    confirm = records.value(_OURS, "publish-w1-p1", "confirm", "p50")
    return _quotient(confirm, records.value("disk", "bare-write", "write", "p50"))


def _last_block_to_first(*path: str) -> Callable[[Records], float | None]:
    """Of the deep fill: one value of the last block as a multiple of the same of the first."""

    def figure(records: Records) -> float | None:
        for record in records.of(_OURS, f"{DEEP}-fill"):
            blocks = record.values.get("blocks") or []
            if len(blocks) > 1:
                return _quotient(_value(blocks[-1], path), _value(blocks[0], path))
        return None

    return figure


def _drain_to_shallow(records: Records) -> float | None:
    deep = records.value(_OURS, f"{DEEP}-drain", "delivery_rate")
    return _quotient(deep, records.value(_OURS, SHALLOW_DRAIN, "delivery_rate"))


def _drain_faults(records: Records) -> float | None:
    """Messages that were missing, came twice or out of order. Its publisher behind the depth is drained as well."""
    drained = records.of(_OURS, f"{DEEP}-drain")
    counts = [[record.values.get(name, 0) for name in ("missing", "duplicates", "out_of_order")] for record in drained]
    return float(sum(map(sum, counts))) if counts else None


def _flushes_per_thousand(scenario: str) -> Callable[[Records], float | None]:
    def figure(records: Records) -> float | None:
        flushes = records.value(_OURS, scenario, "cost", "flushes")
        return _quotient(flushes, records.value(_OURS, scenario, "confirmed"), 1000)

    return figure


def _quotient(above: float | None, below: float | None, scale: float = 1.0) -> float | None:
    return None if above is None or not below else above / below * scale


def _value(block: dict[str, object], path: tuple[str, ...]) -> float | None:
    found: object = block
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else None


_TIMES = "{:.1f} times"
_SHARE = "{:.0%}"

_GOALS = (
    Goal("end to end, 1 by 1", 5, False, _TIMES, _ratio("e2e-1x1", "delivery_rate")),
    Goal("end to end, 1 by 1, per broker CPU second", 6, False, _TIMES, _ratio("e2e-1x1", "messages_per_cpu_second")),
    Goal("end to end, 10 by 10", 5, False, _TIMES, _ratio("e2e-10x10", "delivery_rate")),
    Goal("end to end, 100 by 100", 5, False, _TIMES, _ratio("e2e-100x100", "delivery_rate")),
    Goal("publish, window 1000, 1 producer", 3, False, _TIMES, _ratio("publish-w1000-p1", "publish_rate")),
    Goal("publish, window 1000, 10 producers", 3, False, _TIMES, _ratio("publish-w1000-p10", "publish_rate")),
    Goal("publish, window 1: confirm p50 over a bare 4 KiB synchronous write", 1.5, True, _TIMES, _over_bare_write),
    Goal("1,000 messages a second: p50", 1, True, _TIMES, _ratio("latency-1000", "latency", "p50")),
    Goal("1,000 messages a second: p99", 1, True, _TIMES, _ratio("latency-1000", "latency", "p99")),
    Goal("5,000 messages a second: p50", 1, True, _TIMES, _ratio("latency-5000", "latency", "p50")),
    Goal("5,000 messages a second: p99", 1, True, _TIMES, _ratio("latency-5000", "latency", "p99")),
    Goal("deep queue: rate of the last block to the first", 0.85, False, _SHARE, _last_block_to_first("rate")),
    Goal(
        "deep queue: confirm p99 of the last block to the first",
        1.15,
        True,
        _SHARE,
        _last_block_to_first("latency", "p99"),
    ),
    Goal("deep queue: memory", 256, True, "{:,.0f} MiB", _ours(f"{DEEP}-fill", "cost", "rss_peak_bytes", scale=_MIB)),
    Goal(
        "deep queue: stop and start to first delivery",
        2,
        True,
        "{:.2f} s",
        _ours(f"{DEEP}-restart-clean", "first_delivery_seconds"),
    ),
    Goal(
        "deep queue: kill -9 and start to first delivery",
        10,
        True,
        "{:.2f} s",
        _ours(f"{DEEP}-restart-killed", "first_delivery_seconds"),
    ),
    Goal("deep queue: drain to that of a shallow queue", 0.8, False, _SHARE, _drain_to_shallow),
    Goal("deep queue: drained messages missing, twice or out of order", 0, True, "{:,.0f}", _drain_faults),
    Goal("10,000 queues: disk flushes per 1,000 messages", 100, True, "{:.1f}", _flushes_per_thousand(MANY_QUEUES)),
    Goal("10,000 queues: memory", 400, True, "{:,.0f} MiB", _ours(MANY_QUEUES, "cost", "rss_peak_bytes", scale=_MIB)),
    Goal("10,000 queues: restart", 10, True, "{:.2f} s", _ours(f"{MANY_QUEUES}-restart", "first_delivery_seconds")),
    Goal("an idle connection", 40, True, "{:.1f} KiB", _ours(IDLE, "bytes_each", scale=1024)),
)
