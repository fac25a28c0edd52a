"""The figures of a campaign as Markdown, between two markers of a page; and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from segue.bench.comparison.records import Records
from segue.bench.comparison.report import failures, generator_share, grid, noise, platform_of
from segue.bench.comparison.tables import number, whole
from segue.bench.features.figures import Figure, Row, rows, waits

__all__ = ["BEGIN", "END", "as_json", "render"]

BEGIN = "<!-- features: begin -->"
END = "<!-- features: end -->"

_HEADS = [
    "queue",
    "consumers",
    "end to end",
    "of plain",
    "CPU µs (share)",
    "drain",
    "of plain",
    "CPU µs (share)",
    "publish",
    "of plain",
    "CPU µs (share)",
    "RSS MiB, end / peak",
    "wanted",
    "met",
]


def render(records: Records) -> str:
    """The whole report."""
    return "\n\n".join(section for section in _sections(records) if section) + "\n"


def as_json(records: Records) -> dict[str, Any]:
    """The same figures."""
    measured = [asdict(row) | {"met": row.met} for row in rows(records)]
    return {"features": measured, "waits": [asdict(wait) for wait in waits(records)]}


def _sections(records: Records) -> Iterator[str]:
    yield _machine(records)
    yield "\n".join(grid([_HEADS, *(_cells(row) for row in rows(records))]))
    waited = [[wait.title, *map(number, (wait.p50, wait.p99, wait.max)), str(wait.early)] for wait in waits(records)]
    if waited:
        yield "\n".join(grid([["at a fixed rate", "p50 ms", "p99 ms", "max ms", "too early"], *waited]))
    yield failures(records, "What did not go through:")


def _machine(records: Records) -> str:
    described = next(iter(records.of("campaign", "machine")), None)
    if described is None:
        return ""
    values = described.values
    return (
        f"{platform_of(values)} {values['depth']:,} messages wait; medians of {values['rounds']} times "
        f"{values['pieces']} runs, twice as many of the plain queue. {generator_share(records)}{noise(records)}"
    )


def _cells(row: Row) -> list[str]:
    memory = f"{whole(row.memory_mib)} / {whole(row.memory_peak_mib)}"
    verdict = {True: "yes", False: "**no**", None: ""}[row.met]
    figures = [cell for figure in (row.e2e, row.drain, row.fill) for cell in _figure(figure)]
    return [row.title, str(row.consumers), *figures, memory, f"{row.goal:.0%}" if row.goal else "", verdict]


def _figure(figure: Figure) -> list[str]:
    share = "-" if figure.share is None else f"{figure.share:.0%}"
    cpu = number(figure.cpu_us) + ("" if figure.cpu_share is None else f" ({figure.cpu_share:.0%})")
    return [whole(figure.rate), share, cpu]
