"""The report: tables for a page, and the same as JSON."""

import json
from itertools import pairwise

from segue.bench.comparison.records import Record, Records
from segue.bench.comparison.report import insert
from segue.bench.http.report import BEGIN, END, as_json, render
from tests.unit.bench.http.test_figures import both, polls, run, stomp_run

MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "kernel": "6.1",
    "file_system": "ext4 on a disk",
    "python": "3.11",
    "depth": 1_000_000,
    "rounds": 1,
    "pieces": 3,
    "seconds": 0.8,
    "versions": {"v1-h11": "0.1.0", "rabbitmq-quorum": "3.10.8"},
}
RECORDS = Records(
    [
        Record("campaign", "machine", 1, MACHINE),
        *both(950.0, 8000.0),
        polls("v1-h11", "shallow", 0.9),
        polls("v1-h11", "deep", 1.0),
        stomp_run("v1-h11", 200_000.0),
        run("rabbitmq-quorum", "get-1x1-shallow", 100.0),
        Record("v1-h11", "sum", 1, {}, error="1 messages missing, 0 twice"),
    ]
)


def cells(start: str) -> list[str]:
    line = next(line for line in render(RECORDS).splitlines() if line.startswith(start))
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_a_load_is_a_row_with_rate_cpu_time_and_latency_at_both_depths() -> None:
    before, after = ["1,000", "100", "0.50 / 2.00"], ["950", "125", "0.50 / 2.00"]
    assert cells("| take and settle one by one |") == [
        "take and settle one by one",
        *before,
        *after,
        "95%, 80%",
        "**no**",
    ]


def test_what_is_compared_with_has_no_depth() -> None:
    assert cells("| get one by one: settled at once |") == [
        "get one by one: settled at once",
        "100",
        "100",
        "0.50 / 2.00",
    ]


def test_the_parser_or_the_version_stands_over_the_figures() -> None:
    assert cells("| `/v1`, h11 |")[0] == "`/v1`, h11"
    assert cells("| RabbitMQ")[0] == "RabbitMQ, quorum queue (3.10.8)"


def test_stomp_stands_in_a_table_of_its_own() -> None:
    assert cells("| `/v1`, h11 | 200,000") == ["`/v1`, h11", "200,000", "5.00", "4.00 / 12.0"]


def test_goals_are_shown_in_times_or_in_per_cent() -> None:
    assert cells("| `/v1`, h11: take")[1:] == ["at least 5.0 times", "10.0 times", "yes"]
    assert cells("| `/v1`, h11: long poll")[1:] == ["at least 90%", "90%", "yes"]


def test_long_polls_stand_in_a_table_of_their_own() -> None:
    assert cells("| `/v1`, h11: deep") == ["`/v1`, h11: deep, in another queue", "1.00", "2.00", "9.00"]


def test_the_machine_and_the_runs_are_named() -> None:
    assert "Deep: 1,000,000 messages wait. Medians of 1 times 3 runs of 0.8 s." in render(RECORDS)


def test_a_sum_that_is_wrong_is_said() -> None:
    assert "- v1-h11, sum, round 1: 1 messages missing, 0 twice" in render(RECORDS).splitlines()


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    for before, after in pairwise(render(RECORDS).splitlines()):
        if before.startswith("|") and after.startswith("|"):
            assert after.count("|") == before.count("|")


def test_the_report_has_markers_of_its_own() -> None:
    page = f"<!-- features: begin -->\nx\n<!-- features: end -->\n{BEGIN}\nold\n{END}\n"
    assert insert(page, "new", BEGIN, END) == page.replace("\nold\n", "\n\nnew\n\n")


def test_json_has_the_same_figures() -> None:
    figures = json.loads(json.dumps(as_json(RECORDS)))
    load = figures["loads"][0]
    assert (load["case"], load["load"], load["shallow"]["rate"], load["deep"]["rate"]) == (
        "v1-h11",
        "take-1x1",
        1000.0,
        950.0,
    )
    assert (load["rate_share"], load["met"]) == (0.95, False)
    assert [poll["depth"] for poll in figures["long_polls"]] == ["shallow", "deep"]
    assert [each["case"] for each in figures["stomp"]] == ["v1-h11"]
    assert {goal["met"] for goal in figures["goals"]} == {True}
