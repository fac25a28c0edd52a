"""The figures of a campaign as Markdown, between two markers of a page; and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from segue.bench.comparison.records import Records
from segue.bench.comparison.report import failures, generator_share, grid, noise, platform_of
from segue.bench.comparison.tables import number, whole
from segue.bench.http.cases import Case
from segue.bench.http.figures import DEPTH_SHARE, Figure, Goal, Row, WakeUp, goals, rows, stomp, wake_ups

__all__ = ["BEGIN", "END", "as_json", "render"]

BEGIN = "<!-- http: begin -->"
END = "<!-- http: end -->"

_FIGURE_HEADS = ["a second", "CPU µs", "p50 / p99 ms"]
_VERDICTS = {True: "yes", False: "**no**", None: ""}


def render(records: Records) -> str:
    """The whole report."""
    return "\n\n".join(section for section in _sections(records) if section) + "\n"


def as_json(records: Records) -> dict[str, Any]:
    """The same figures."""
    return {
        "loads": [_row_as_json(row) for row in rows(records)],
        "long_polls": [
            {"case": wake_up.case.name, "depth": wake_up.depth}
            | {"p50": wake_up.p50, "p99": wake_up.p99, "max": wake_up.max}
            for wake_up in wake_ups(records)
        ],
        "stomp": [{"case": case.name} | asdict(figure) for case, figure in stomp(records)],
        "goals": [asdict(goal) | {"met": goal.met} for goal in goals(records)],
    }


def _row_as_json(row: Row) -> dict[str, Any]:
    figures = {
        depth: None if figure is None else asdict(figure)
        for depth, figure in (("shallow", row.shallow), ("deep", row.deep))
    }
    shares = {"rate_share": row.rate_share, "cpu_share": row.cpu_share, "met": row.met}
    return {"case": row.case.name, "load": row.load.name, **figures, **shares}


def _sections(records: Records) -> Iterator[str]:
    yield _machine(records)
    measured = list(rows(records))
    for case in dict.fromkeys(row.case for row in measured):
        yield _loads(_title(records, case), [row for row in measured if row.case is case])
    by_stomp = [[case.title, *_figure(figure)] for case, figure in stomp(records)]
    if by_stomp:
        yield "\n".join(grid([["publish by STOMP to the daemon of", *_FIGURE_HEADS], *by_stomp]))
    polls = [_poll(wake_up) for wake_up in wake_ups(records)]
    if polls:
        yield "\n".join(grid([["long poll: from publishing to the answer", "p50 ms", "p99 ms", "max ms"], *polls]))
    asked = [_goal(goal) for goal in goals(records)]
    if asked:
        yield "\n".join(grid([["asked for", "wanted", "measured", "met"], *asked]))
    yield failures(records, "What did not go through:")


def _machine(records: Records) -> str:
    described = next(iter(records.of("campaign", "machine")), None)
    if described is None:
        return ""
    values = described.values
    return (
        f"{platform_of(values)} Deep: {values['depth']:,} messages wait. Medians of {values['rounds']} times "
        f"{values['pieces']} runs of {values['seconds']:g} s. {generator_share(records)}{noise(records)}"
    )


def _title(records: Records, case: Case) -> str:
    """With the version, of what is not ours."""
    described = next(iter(records.of("campaign", "machine")), None)
    version = described.values.get("versions", {}).get(case.name) if described is not None else None
    return case.title if case.is_ours or not version else f"{case.title} ({version})"


def _loads(title: str, measured: list[Row]) -> str:
    heads = [title, *_FIGURE_HEADS]
    deep = any(row.deep is not None for row in measured)
    if deep:
        heads += [f"deep: {head}" for head in _FIGURE_HEADS] + ["rate, CPU: of that at 0", f"{DEPTH_SHARE:.0%} met"]
    return "\n".join(grid([heads, *([*_cells(row), *(_deep_cells(row) if deep else [])] for row in measured)]))


def _cells(row: Row) -> list[str]:
    return [row.load.title, *_figure(row.shallow)]


def _deep_cells(row: Row) -> list[str]:
    shares = ["-" if share is None else f"{share:.0%}" for share in (row.rate_share, row.cpu_share)]
    return [*_figure(row.deep), ", ".join(shares), _VERDICTS[row.met]]


def _figure(figure: Figure | None) -> list[str]:
    if figure is None:
        return ["-", "-", "-"]
    return [whole(figure.rate), number(figure.cpu_us), f"{number(figure.p50)} / {number(figure.p99)}"]


def _poll(wake_up: WakeUp) -> list[str]:
    depth = "nothing waits" if wake_up.depth == "shallow" else "deep, in another queue"
    return [f"{wake_up.case.title}: {depth}", *map(number, (wake_up.p50, wake_up.p99, wake_up.max))]


def _goal(goal: Goal) -> list[str]:
    wanted, measured = (_amount(value, goal.unit) for value in (goal.wanted, goal.value))
    return [goal.title, f"at least {wanted}", measured, _VERDICTS[goal.met]]


def _amount(value: float, unit: str) -> str:
    """A share in per cent, or so many times as much."""
    return f"{value:.1f} {unit}" if unit else f"{value:.0%}"
