"""The report: between its markers, with what was measured and what went wrong."""

from itertools import pairwise

import pytest

from segue.bench.comparison.records import Record, Records
from segue.bench.comparison.report import BEGIN, END, ReportError, insert, render

MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "memory_gib": 24.0,
    "kernel": "6.1",
    "system": "Debian",
    "file_system": "ext4 on a disk",
    "python": "3.11",
    "peers": {"segue": {"title": "Segue", "version": "0.1", "durability": "journal"}},
}
RECORDS = Records(
    [
        Record("campaign", "machine", 1, MACHINE),
        Record("disk", "bare-write", 1, {"write": {"p50": 0.2, "p99": 0.4}}),
        Record("segue", "e2e-1x1", 1, {"delivery_rate": 87_000.4, "missing": 0, "duplicates": 0, "out_of_order": 0}),
        Record("segue", "deep-fill", 1, {"blocks": [{"rate": 100_000.0}, {"rate": 99_000.0}]}),
        Record("activemq", "e2e-1x1", 1, {}, error="connection lost"),
    ]
)


def test_the_report_replaces_what_stands_between_the_markers() -> None:
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    assert insert(page, "new\n") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"


def test_inserting_twice_is_the_same_as_once() -> None:
    once = insert(f"{BEGIN}\n{END}", "new")
    assert insert(once, "new") == once


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}\n{BEGIN}"])
def test_a_page_without_markers_is_refused_and_not_overwritten(page: str) -> None:
    with pytest.raises(ReportError):
        insert(page, "new")


def test_the_machine_and_its_disk_are_named() -> None:
    text = render(RECORDS)
    assert "a processor, 2 cores, 24.0 GiB; Debian, Linux 6.1, ext4 on a disk; Python 3.11." in text
    assert "A bare 4 KiB synchronous write takes 0.20 ms (p99 0.40 ms)." in text


def test_what_else_the_machine_did_meanwhile_is_said() -> None:
    runs = [
        Record("segue", "e2e-1x1", number, {"cost": {"other_cores": cores}}) for number, cores in ((1, 0.1), (2, 0.5))
    ]
    text = render(Records([Record("campaign", "machine", 1, MACHINE), *runs]))
    assert "something else meanwhile: 0.30 in the median run, 0.50 in the worst." in text


def test_a_broker_is_a_row_with_the_median_of_its_rounds() -> None:
    row = next(line for line in render(RECORDS).splitlines() if line.startswith("| segue | 87,000"))
    assert row.endswith("| 0 / 0 / 0 |")


def test_tables_without_any_figure_are_left_out() -> None:
    text = render(RECORDS)
    assert "### End to end" in text
    assert "### Fixed rate" not in text


def test_the_blocks_of_the_deep_queue_are_all_there() -> None:
    assert "- segue, fill: 100,000 99,000" in render(RECORDS)


def test_what_failed_is_said() -> None:
    assert "- activemq, e2e-1x1, round 1: connection lost" in render(RECORDS)


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    lines = render(RECORDS).splitlines()
    for before, line in pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert line.count("|") == before.count("|")
