"""The report: a campaign's records as Markdown, put into a page between two markers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from segue.bench.comparison.goals import verdicts
from segue.bench.comparison.records import Records
from segue.bench.comparison.scenarios import DEEP
from segue.bench.comparison.tables import DEEP_TABLE, TABLES, Table, number

__all__ = [
    "BEGIN",
    "END",
    "ReportError",
    "failures",
    "generator_share",
    "grid",
    "insert",
    "noise",
    "platform_of",
    "render",
]

BEGIN = "<!-- comparison: begin -->"
END = "<!-- comparison: end -->"


class ReportError(ValueError):
    """The page has no place for the report."""


def insert(page: str, report: str, begin_line: str = BEGIN, end_line: str = END) -> str:
    """The page with the report between its markers.

    Raises:
        ReportError: the markers are not there, once and in order.
    """
    before, begin, rest = page.partition(begin_line)
    _, end, after = rest.partition(end_line)
    if not begin or not end:
        raise ReportError(f"the page needs a line {begin_line!r} and, below it, a line {end_line!r}")
    return f"{before}{begin}\n\n{report.strip()}\n\n{end}{after}"


def render(records: Records) -> str:
    """The whole report."""
    return "\n\n".join(section for section in _sections(records) if section) + "\n"


def _sections(records: Records) -> Iterator[str]:
    yield _machine(records)
    yield _goals(records)
    for table in TABLES:
        yield _table(records, table)
        if table is DEEP_TABLE:
            yield _blocks(records)
    yield failures(records, "### What did not go through")


# The parts.


def _machine(records: Records) -> str:
    described = next(iter(records.of("campaign", "machine")), None)
    if described is None:
        return ""
    values = described.values
    bare = records.value("disk", "bare-write", "write", "p50"), records.value("disk", "bare-write", "write", "p99")
    machine = (
        f"{values['processor']}, {values['cores']} cores, {values['memory_gib']} GiB; {values['system']}, "
        f"Linux {values['kernel']}, {values['file_system']}; Python {values['python']}. "
        f"A bare 4 KiB synchronous write takes {number(bare[0])} ms (p99 {number(bare[1])} ms). "
        f"{noise(records)}"
    )
    peers = [_peer(values["peers"], name) for name in records.peers()]
    return "\n".join(["### The machine", "", machine, "", *grid([["broker", "version", "behind a receipt"], *peers])])


def noise(records: Records) -> str:
    """How quiet the machine was: a neighbour takes from brokers what the figures then lack."""
    cores = sorted(records.all("cost", "other_cores"))
    if not cores:
        return ""
    usual, worst = median(cores), cores[-1]
    return f"Cores busy with something else meanwhile: {usual:.2f} in the median run, {worst:.2f} in the worst."


def platform_of(values: dict[str, Any]) -> str:
    """What a campaign ran on, in a sentence: from its record of the machine."""
    return (
        f"{values['processor']}, {values['cores']} cores; Linux {values['kernel']}, {values['file_system']}; "
        f"Python {values['python']}."
    )


def generator_share(records: Records) -> str:
    """How much of a core the load generator took: near 100% it is what was measured."""
    shares = sorted(records.all("generator_share"))
    if not shares:
        return ""
    return f"The load generator took {median(shares):.0%} of a core in the median run, {shares[-1]:.0%} in the worst. "


def _peer(peers: dict[str, dict[str, str]], name: str) -> list[str]:
    peer = peers.get(name, {})
    return [peer.get("title", name), peer.get("version", "-"), peer.get("durability", "-")]


def _goals(records: Records) -> str:
    rows = [["goal", "wanted", "measured", "met"]]
    for verdict in verdicts(records):
        goal = verdict.goal
        wanted = ("at most " if goal.at_most else "at least ") + goal.unit.format(goal.bound)
        measured = "-" if verdict.value is None else goal.unit.format(verdict.value)
        rows.append([goal.title, wanted, measured, {True: "yes", False: "**no**", None: "not measured"}[verdict.met]])
    text = "Multiples are of RabbitMQ with quorum queues in the same campaign."
    return "\n".join(["### Goals", "", text, "", *grid(rows)])


def _table(records: Records, table: Table) -> str:
    rows = [[peer, *(cell(records, peer) for _, cell in table.columns)] for peer in records.peers()]
    measured = [row for row in rows if set(row[1:]) != {"-"}]
    if not measured:
        return ""
    heads = ["broker", *(head for head, _ in table.columns)]
    return "\n".join([f"### {table.title}", "", table.text, "", *grid([heads, *measured])])


def _blocks(records: Records) -> str:
    """Rates along the deep fill and drain: one line a broker."""
    lines = []
    for phase in ("fill", "drain"):
        for peer in records.peers():
            blocks = next((record.values.get("blocks") for record in records.of(peer, f"{DEEP}-{phase}")), None)
            if blocks:
                lines.append(f"- {peer}, {phase}: " + " ".join(f"{block['rate']:,.0f}" for block in blocks))
    if not lines:
        return ""
    return "\n".join(["Messages a second in each block:", "", *lines])


def failures(records: Records, title: str) -> str:
    """A list, below a title, of what did not go through; empty when all did."""
    lines = [f"- {record.peer}, {record.scenario}, round {record.round}: {record.error}" for record in records.errors()]
    return "\n".join([title, "", *lines]) if lines else ""


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, its lines; the first row is its head."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return [head, "|" + "---|" * len(rows[0]), *body]
