"""What the records of a campaign say: each load at both depths, and what is asked of Segue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from segue.bench.comparison.records import Records
from segue.bench.http.cases import CASES, LOADS, STOMP, WAKE_UP, Case, Load

__all__ = ["DEPTH_SHARE", "Figure", "Goal", "Row", "WakeUp", "goals", "rows", "stomp", "wake_ups"]

DEPTH_SHARE: Final = 0.9
"""Of the rate without depth, and of its messages a CPU second: with depth at least so much."""
_STOMP_SHARE: Final = 0.6
_MULTIPLE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One load at one depth: medians.

    Attributes:
        rate: messages a second.
        cpu_us: of the broker's CPU, for a message.
        p50, p99: milliseconds that a request took.
    """

    rate: float
    cpu_us: float | None
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Row:
    """One load on one API; None for what was not measured."""

    case: Case
    load: Load
    shallow: Figure
    deep: Figure | None

    @property
    def rate_share(self) -> float | None:
        """What the rate with depth is of that without."""
        return None if self.deep is None else self.deep.rate / self.shallow.rate

    @property
    def cpu_share(self) -> float | None:
        """The CPU time for a message without depth, of that with it: less than 1 for more work."""
        if self.deep is None or self.shallow.cpu_us is None or not self.deep.cpu_us:
            return None
        return self.shallow.cpu_us / self.deep.cpu_us

    @property
    def met(self) -> bool | None:
        """Whether depth costs no more than it may; None where that was not measured."""
        shares = (self.rate_share, self.cpu_share)
        return None if None in shares else all(share is not None and share >= DEPTH_SHARE for share in shares)


@dataclass(frozen=True, slots=True)
class WakeUp:
    """Long polls of one API at one depth, in milliseconds: medians of percentiles, the highest of all."""

    case: Case
    depth: str
    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Goal:
    """Something that is asked for, `wanted` or more, and what was measured."""

    title: str
    wanted: float
    value: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.value >= self.wanted


def rows(records: Records) -> Iterator[Row]:
    """All that was measured, API by API."""
    for case in CASES:
        for load in LOADS:
            shallow, deep = (
                _figure(records, case, f"{load.name}-{depth}", "rate", "request") for depth in ("shallow", "deep")
            )
            if shallow is not None:
                yield Row(case, load, shallow, deep)


def stomp(records: Records) -> Iterator[tuple[Case, Figure]]:
    """Publishing by STOMP to the daemons of these cases."""
    for case in CASES:
        figure = _figure(records, case, STOMP, "publish_rate", "confirm")
        if figure is not None:
            yield case, figure


def wake_ups(records: Records) -> Iterator[WakeUp]:
    """All long polls that were measured."""
    for case in CASES:
        for depth in ("shallow", "deep"):
            scenario = f"{WAKE_UP}-{depth}"
            p50, p99 = (records.value(case.name, scenario, "wake_up", name) for name in ("p50", "p99"))
            highest = records.highest(case.name, scenario, "wake_up", "max")
            if p50 is not None and p99 is not None and highest is not None:
                yield WakeUp(case, depth, p50, p99, highest)


def goals(records: Records) -> Iterator[Goal]:
    """What is asked beside depth: against RabbitMQ, against STOMP, and long polls over depth."""
    measured = {(row.case.name, row.load.name): row for row in rows(records)}
    by_stomp = dict(stomp(records))
    for case in (case for case in CASES if case.is_ours):
        for load in (load for load in LOADS if (case.name, load.name) in measured):
            row = measured[case.name, load.name]
            yield from _against_others(row, [other for other in measured.values() if not other.case.is_ours])
            yield from _against_stomp(row, by_stomp.get(case))
        polls = [wake_up for wake_up in wake_ups(records) if wake_up.case is case]
        if len(polls) == 2:
            shallow, deep = polls
            yield Goal(f"{case.title}: long poll, p50 at 0 of that over depth", DEPTH_SHARE, shallow.p50 / deep.p50, "")


def _against_others(row: Row, others: list[Row]) -> Iterator[Goal]:
    """Of the queue types, the faster one counts. Where there is no get, taking and settling has to do."""
    does = "get" if row.load.does == "take" and not row.case.settles_at_once else row.load.does
    alike = (does, row.load.batch, row.load.clients)
    rates = [each.shallow.rate for each in others if (each.load.does, each.load.batch, each.load.clients) == alike]
    if rates:
        title = f"{row.case.title}: {row.load.title}, to RabbitMQ's {does}"
        yield Goal(title, _MULTIPLE, row.shallow.rate / max(rates), "times")


def _against_stomp(row: Row, by_stomp: Figure | None) -> Iterator[Goal]:
    """With one connection a tenth of what STOMP has is unconfirmed; with several it is about as much."""
    if by_stomp is not None and row.load.does == "publish" and row.load.batch > 1 and row.load.clients > 1:
        title = f"{row.case.title}: {row.load.title}, to STOMP's rate"
        yield Goal(title, _STOMP_SHARE, row.shallow.rate / by_stomp.rate, "")


def _figure(records: Records, case: Case, scenario: str, rate_name: str, latency_name: str) -> Figure | None:
    rate = records.value(case.name, scenario, rate_name)
    p50, p99 = (records.value(case.name, scenario, latency_name, name) for name in ("p50", "p99"))
    messages = records.value(case.name, scenario, "messages_per_cpu_second")
    if not rate or p50 is None or p99 is None:
        return None
    return Figure(rate, 1e6 / messages if messages else None, p50, p99)
