"""Figures: each feature beside the plain queue with as many consumers."""

import pytest

from segue.bench.comparison.records import Record, Records
from segue.bench.features.figures import Row, rows, waits


def run(case: str, figure: str, rate: float, cpu_rate: float = 100_000.0, number: int = 1) -> Record:
    name = "publish_rate" if figure == "fill" else "delivery_rate"
    cost = {"rss_peak_bytes": 100 * 1024 * 1024}
    return Record(case, figure, number, {name: rate, "messages_per_cpu_second": cpu_rate, "cost": cost})


PLAIN = [
    run("plain", "fill", 200_000.0),
    *(run("plain", f"{kind}-{count}", 100_000.0 / count) for kind in ("e2e", "drain") for count in (1, 2, 10)),
]


def row(name: str, *records: Record) -> Row:
    """The row of this name, of a campaign with these records and those of a plain queue."""
    return next(row for row in rows(Records([*PLAIN, *records])) if row.name == name)


def ttl(e2e: float, drain: float) -> list[Record]:
    return [run("ttl", "fill", 150_000.0), run("ttl", "e2e-1", e2e), run("ttl", "drain-1", drain)]


def test_a_rate_is_compared_with_that_of_the_plain_queue() -> None:
    measured = row("ttl", *ttl(90_000.0, 80_000.0))
    assert (measured.e2e.share, measured.drain.share, measured.fill.share) == (0.9, 0.8, 0.75)


def test_the_plain_queue_beside_it_has_as_many_consumers() -> None:
    groups = [run("groups", "fill", 1.0), run("groups", "e2e-10", 5_000.0), run("groups", "drain-10", 2_500.0)]
    measured = row("groups", *groups)
    assert (measured.e2e.share, measured.drain.share, measured.consumers) == (0.5, 0.25, 10)


def test_each_kind_of_consumers_is_a_row() -> None:
    kinds = [run("selectors", figure, 25_000.0) for figure in ("fill", "e2e-halves", "drain-halves", "e2e-beside")]
    names = [row.name for row in rows(Records([*PLAIN, *kinds]))]
    assert names == ["plain-1", "plain-2", "plain-10", "selectors-halves", "selectors-beside"]
    assert row("selectors-halves", *kinds).e2e.share == 0.5


def test_rates_are_medians_over_rounds_and_pieces() -> None:
    pieces = [run("ttl", "e2e-1", rate) for rate in (10_000.0, 70_000.0, 60_000.0)]
    assert row("ttl", run("ttl", "fill", 1.0), *pieces).e2e.rate == 60_000.0


def test_more_work_for_a_message_is_a_smaller_share() -> None:
    measured = row("ttl", run("ttl", "fill", 1.0), run("ttl", "e2e-1", 1.0, cpu_rate=50_000.0))
    assert (measured.e2e.cpu_us, measured.e2e.cpu_share) == (20.0, 0.5)


@pytest.mark.parametrize(
    ("e2e", "drain", "met"), [(70_000.0, 70_000.0, True), (69_000.0, 99_000.0, False), (99_000.0, 69_000.0, False)]
)
def test_a_goal_is_met_end_to_end_and_in_the_drain(e2e: float, drain: float, met: bool) -> None:
    assert row("ttl", *ttl(e2e, drain)).met is met


def test_what_has_no_goal_or_was_not_measured_has_no_verdict() -> None:
    assert row("plain-1").met is None
    assert row("ttl", run("ttl", "fill", 1.0), run("ttl", "e2e-1", 99_000.0)).met is None


def test_memory_is_that_at_the_end_and_the_highest_of_all_runs() -> None:
    grown = Record("ttl", "drain-1", 1, {"delivery_rate": 1.0, "cost": {"rss_peak_bytes": 300 * 1024 * 1024}})
    end = Record("ttl", "memory", 1, {"rss_bytes": 90 * 1024 * 1024})
    measured = row("ttl", run("ttl", "fill", 1.0), grown, end)
    assert (measured.memory_mib, measured.memory_peak_mib) == (90.0, 300.0)


def test_what_was_not_measured_is_no_row() -> None:
    assert [row.name for row in rows(Records(PLAIN))] == ["plain-1", "plain-2", "plain-10"]


def test_lateness_is_the_median_of_percentiles_and_the_highest_of_all() -> None:
    rounds = [
        Record("delay", "lateness", number, {"latency": {"p50": p50, "p99": 9.0, "max": high}, "early": number - 1})
        for number, p50, high in ((1, 2.0, 50.0), (2, 4.0, 30.0), (3, 3.0, 20.0))
    ]
    (late,) = waits(Records(rounds))
    assert (late.p50, late.p99, late.max, late.early) == (3.0, 9.0, 50.0, 2)
