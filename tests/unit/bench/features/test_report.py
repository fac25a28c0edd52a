"""The report: tables for a page, and the same as JSON."""

import json
from itertools import pairwise

from segue.bench.comparison.records import Record, Records
from segue.bench.comparison.report import insert
from segue.bench.features.report import BEGIN, END, as_json, render
from tests.unit.bench.features.test_figures import PLAIN, run, ttl

MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "kernel": "6.1",
    "file_system": "ext4 on a disk",
    "python": "3.11",
    "depth": 1_000_000,
    "rounds": 2,
    "pieces": 3,
}
LATE = Record("delay", "lateness", 1, {"latency": {"p50": 1.5, "p99": 8.0, "max": 20.0}, "early": 3})
RECORDS = Records(
    [
        Record("campaign", "machine", 1, MACHINE),
        *PLAIN,
        *ttl(90_000.0, 60_000.0),
        Record("ttl", "memory", 1, {"rss_bytes": 90 * 1024 * 1024}),
        LATE,
        Record("dedup", "start", 1, {}, error="did not start"),
    ]
)


def line(start: str) -> str:
    return next(line for line in render(RECORDS).splitlines() if line.startswith(start))


def test_a_feature_is_a_row_with_rates_shares_and_a_verdict() -> None:
    cells = [cell.strip() for cell in line("| TTL").split("|")[1:-1]]
    assert cells[:5] == ["TTL", "1", "90,000", "90%", "10.0 (100%)"]
    assert cells[5:7] == ["60,000", "60%"]
    assert cells[-3:] == ["90 / 100", "70%", "**no**"]


def test_the_machine_and_the_depth_are_named() -> None:
    assert (
        "a processor, 2 cores; Linux 6.1, ext4 on a disk; Python 3.11. 1,000,000 messages wait; medians of 2"
        in line("a ")
    )


def test_how_busy_the_load_generator_was_is_said() -> None:
    shares = [Record("ttl", "e2e-1", number, {"generator_share": share}) for number, share in ((1, 0.2), (2, 0.4))]
    text = render(Records([Record("campaign", "machine", 1, MACHINE), *shares]))
    assert "The load generator took 30% of a core in the median run, 40% in the worst. " in text


def test_lateness_stands_in_a_table_of_its_own() -> None:
    assert line("| delay, while").endswith("| 1.50 | 8.00 | 20.0 | 3 |")


def test_what_failed_is_said() -> None:
    assert line("- dedup") == "- dedup, start, round 1: did not start"


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    for before, after in pairwise(render(RECORDS).splitlines()):
        if before.startswith("|") and after.startswith("|"):
            assert after.count("|") == before.count("|")


def test_the_report_has_markers_of_its_own() -> None:
    page = f"<!-- comparison: begin -->\nx\n<!-- comparison: end -->\n{BEGIN}\nold\n{END}\n"
    assert insert(page, "new", BEGIN, END) == page.replace("\nold\n", "\n\nnew\n\n")


def test_json_has_the_same_figures() -> None:
    figures = json.loads(json.dumps(as_json(RECORDS)))
    measured = next(row for row in figures["features"] if row["name"] == "ttl")
    assert (measured["e2e"]["share"], measured["drain"]["share"], measured["met"]) == (0.9, 0.6, False)
    assert figures["waits"][0]["early"] == 3


def test_a_run_that_went_wrong_does_not_count() -> None:
    wrong = Record("ttl", "e2e-1", 1, run("ttl", "e2e-1", 1.0).values, error="connection lost")
    assert "| TTL | 1 | 90,000 |" in render(Records([*PLAIN, *ttl(90_000.0, 60_000.0), wrong]))
