"""The tables of the report: which value of which record stands in which column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from segue.bench.comparison.records import Records
from segue.bench.comparison.scenarios import DEEP, IDLE, MANY_QUEUES, SHALLOW_DRAIN

__all__ = ["DEEP_TABLE", "TABLES", "Cell", "Table", "number", "whole"]

_MIB = 1024 * 1024

Cell = Callable[[Records, str], str]
"""A cell of a table: for a broker by name."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: a row a broker; `columns` are (head, cell)."""

    title: str
    text: str
    columns: tuple[tuple[str, Cell], ...]


def _rate(scenario: str, *path: str) -> Cell:
    return lambda records, peer: whole(records.value(peer, scenario, *path))


def _value(scenario: str, *path: str, scale: float = 1.0) -> Cell:
    def cell(records: Records, peer: str) -> str:
        value = records.value(peer, scenario, *path)
        return number(value / scale) if value is not None else "-"

    return cell


def _percentiles(scenario: str, kind: str, *names: str) -> Cell:
    def cell(records: Records, peer: str) -> str:
        values = [records.value(peer, scenario, kind, name) for name in names]
        return " / ".join(map(number, values)) if any(value is not None for value in values) else "-"

    return cell


def _ends(name: str, *path: str) -> Cell:
    """First and last block of the deep queue's `name` phase."""

    def cell(records: Records, peer: str) -> str:
        blocks = next((record.values.get("blocks") for record in records.of(peer, f"{DEEP}-{name}")), None)
        if not blocks:
            return "-"
        return " / ".join(number(_reach(block, path)) for block in (blocks[0], blocks[-1]))

    return cell


def _faults(scenario: str) -> Cell:
    def cell(records: Records, peer: str) -> str:
        names = ("missing", "duplicates", "out_of_order")
        values = [records.highest(peer, scenario, name) for name in names]
        return " / ".join(map(whole, values)) if any(value is not None for value in values) else "-"

    return cell


def _reach(block: dict[str, Any], path: Sequence[str]) -> float | None:
    found: Any = block
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if found is None else float(found)


def whole(value: float | None) -> str:
    """Without decimals, `-` for what was not measured."""
    return "-" if value is None else f"{value:,.0f}"


def number(value: float | None) -> str:
    """About three figures, `-` for what was not measured."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


DEEP_TABLE = Table(
    "Deep queue",
    "One queue filled, nobody taking, in blocks of 250,000; restarts with all that waiting; the drain.",
    (
        ("confirmed", _rate(f"{DEEP}-fill", "confirmed")),
        ("rate, first / last", _ends("fill", "rate")),
        ("confirm p99 ms, first / last", _ends("fill", "latency", "p99")),
        ("RSS MiB", _value(f"{DEEP}-fill", "cost", "rss_peak_bytes", scale=_MIB)),
        ("window 1 behind it, p50 / p99 ms", _percentiles(f"{DEEP}-probe", "confirm", "p50", "p99")),
        ("restart, s", _value(f"{DEEP}-restart-clean", "first_delivery_seconds")),
        ("after kill -9, s", _value(f"{DEEP}-restart-killed", "first_delivery_seconds")),
        ("drain", _rate(f"{DEEP}-drain", "delivery_rate")),
        ("shallow drain", _rate(SHALLOW_DRAIN, "delivery_rate")),
        ("faults", _faults(f"{DEEP}-drain")),
    ),
)

TABLES = (
    Table(
        "Publish",
        "Messages confirmed a second; 256 octets, a receipt for each. Latency from sending to receipt, ms.",
        (
            ("window 1", _rate("publish-w1-p1", "publish_rate")),
            ("p50 / p99", _percentiles("publish-w1-p1", "confirm", "p50", "p99")),
            ("window 1000", _rate("publish-w1000-p1", "publish_rate")),
            ("per CPU second", _rate("publish-w1000-p1", "messages_per_cpu_second")),
            ("10 producers", _rate("publish-w1000-p10", "publish_rate")),
            ("per CPU second", _rate("publish-w1000-p10", "messages_per_cpu_second")),
        ),
    ),
    Table(
        "End to end",
        "Messages delivered and acknowledged a second. Faults are missing / twice / out of order.",
        (
            ("1 by 1", _rate("e2e-1x1", "delivery_rate")),
            ("per CPU second", _rate("e2e-1x1", "messages_per_cpu_second")),
            ("10 by 10", _rate("e2e-10x10", "delivery_rate")),
            ("per CPU second", _rate("e2e-10x10", "messages_per_cpu_second")),
            ("100 by 100", _rate("e2e-100x100", "delivery_rate")),
            ("per CPU second", _rate("e2e-100x100", "messages_per_cpu_second")),
            ("faults", _faults("e2e-1x1")),
        ),
    ),
    Table(
        "Fixed rate",
        "From when a message was due to its arrival at the consumer, ms: p50 / p99 / p99.9.",
        (
            ("1,000 a second", _percentiles("latency-1000", "latency", "p50", "p99", "p99_9")),
            ("per CPU second", _rate("latency-1000", "messages_per_cpu_second")),
            ("5,000 a second", _percentiles("latency-5000", "latency", "p50", "p99", "p99_9")),
            ("per CPU second", _rate("latency-5000", "messages_per_cpu_second")),
        ),
    ),
    DEEP_TABLE,
    Table(
        "Many queues",
        "Ten messages on each of 10,000 queues.",
        (
            ("published", _rate(MANY_QUEUES, "publish_rate")),
            ("disk flushes", _rate(MANY_QUEUES, "cost", "flushes")),
            ("RSS MiB", _value(MANY_QUEUES, "cost", "rss_peak_bytes", scale=_MIB)),
            ("restart, s", _value(f"{MANY_QUEUES}-restart", "first_delivery_seconds")),
            ("drain", _rate(f"{MANY_QUEUES}-drain", "delivery_rate")),
            ("faults", _faults(f"{MANY_QUEUES}-drain")),
        ),
    ),
    Table(
        "Idle connections",
        "Memory of the broker for a connection with one subscription. That of a Java broker moves by itself.",
        (
            ("connections", _rate(IDLE, "connections")),
            ("KiB each", _value(IDLE, "bytes_each", scale=1024)),
        ),
    ),
)
