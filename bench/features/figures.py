"""What the records of a campaign say of each feature, beside the plain queue with as many consumers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segue.bench.comparison.records import Records
from segue.bench.features.cases import CASES, DELAY, PLAIN, URGENT, Case, Crowd

__all__ = ["Figure", "Row", "Wait", "rows", "waits"]

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Figure:
    """A rate, and what it is of the plain queue's; None for what was not measured.

    Attributes:
        rate: messages a second.
        share: of the plain queue's rate.
        cpu_us: of the broker's CPU, for a message.
        cpu_share: the plain queue's CPU time for a message, of this one's: 1 for the same, less for more work.
    """

    rate: float | None
    share: float | None
    cpu_us: float | None
    cpu_share: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One feature with one kind of consumers.

    Attributes:
        name, title: of the case, and of its consumers where it has several kinds.
        consumers: how many.
        goal: the share that is wanted, 0 for none.
        e2e: messages in and out at a time while the full depth waits.
        drain: taking all that waits.
        fill: publishing it, nobody taking.
        memory_mib: of the broker, at the end.
        memory_peak_mib: the highest sample.
    """

    name: str
    title: str
    consumers: int
    goal: float
    e2e: Figure
    drain: Figure
    fill: Figure
    memory_mib: float | None
    memory_peak_mib: float | None

    @property
    def met(self) -> bool | None:
        """Whether end to end and drain reach the goal; None where there is none, or something was not measured."""
        shares = (self.e2e.share, self.drain.share)
        if not self.goal or None in shares:
            return None
        return all(share is not None and share >= self.goal for share in shares)


@dataclass(frozen=True, slots=True)
class Wait:
    """How long messages took at a fixed rate, in milliseconds; `early`: how many came before they were due."""

    title: str
    p50: float
    p99: float
    max: float
    early: int


def rows(records: Records) -> Iterator[Row]:
    """All cases that were measured, the plain queue first."""
    for case in CASES:
        for crowd in case.crowds:
            row = _row(records, case, crowd)
            if row.fill.rate is not None and case.name != URGENT:
                yield row


def waits(records: Records) -> Iterator[Wait]:
    """What was measured at a fixed rate."""
    titles = (
        ("a plain queue, empty: 1,000 a second", PLAIN, "latency"),
        ("priority 9, while a deep priority 0 is being taken: 1,000 a second", URGENT, "latency"),
        ("delay, while others wait for later: lateness of 10,000 due a second", DELAY, "lateness"),
    )
    for title, case, figure in titles:
        p50, p99 = (records.value(case, figure, "latency", name) for name in ("p50", "p99"))
        highest = records.highest(case, figure, "latency", "max")
        if p50 is not None and p99 is not None and highest is not None:
            yield Wait(title, p50, p99, highest, int(records.highest(case, figure, "early") or 0))


def _row(records: Records, case: Case, crowd: Crowd) -> Row:
    name = case.name
    ends = records.value(name, "memory", "rss_bytes")
    peaks = [records.highest(name, figure, "cost", "rss_peak_bytes") for figure in ("fill", *_figures(case))]
    peak = max((peak for peak in peaks if peak is not None), default=None)
    return Row(
        name=name if len(case.crowds) == 1 else f"{name}-{crowd.name}",
        title=_title(case, crowd),
        consumers=crowd.consumers,
        goal=case.share,
        e2e=_figure(records, name, f"e2e-{crowd.name}", f"e2e-{crowd.consumers}"),
        drain=_figure(records, name, f"drain-{crowd.name}", f"drain-{crowd.consumers}"),
        fill=_figure(records, name, "fill", "fill"),
        memory_mib=None if ends is None else ends / _MIB,
        memory_peak_mib=None if peak is None else peak / _MIB,
    )


def _title(case: Case, crowd: Crowd) -> str:
    if crowd.title:
        return f"{case.title}: {crowd.title}"
    return case.title if crowd.consumers == 1 else f"{case.title}, {crowd.consumers} consumers"


def _figures(case: Case) -> Iterator[str]:
    for crowd in case.crowds:
        yield from (f"e2e-{crowd.name}", f"drain-{crowd.name}")


def _figure(records: Records, case: str, figure: str, plain_figure: str) -> Figure:
    rate, cpu = _rate(records, case, figure), _cpu(records, case, figure)
    plain_rate, plain_cpu = _rate(records, PLAIN, plain_figure), _cpu(records, PLAIN, plain_figure)
    return Figure(rate, _quotient(rate, plain_rate), cpu, _quotient(plain_cpu, cpu))


def _rate(records: Records, case: str, figure: str) -> float | None:
    return records.value(case, figure, "publish_rate" if figure == "fill" else "delivery_rate")


def _cpu(records: Records, case: str, figure: str) -> float | None:
    messages = records.value(case, figure, "messages_per_cpu_second")
    return 1e6 / messages if messages else None


def _quotient(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below else above / below
