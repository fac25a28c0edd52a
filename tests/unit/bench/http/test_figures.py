"""Figures: each load without and with depth, and beside RabbitMQ and STOMP."""

import pytest

from segue.bench.comparison.records import Record, Records
from segue.bench.http.figures import Goal, Row, goals, rows, stomp, wake_ups


def run(case: str, scenario: str, rate: float, cpu_rate: float = 10_000.0, number: int = 1) -> Record:
    request = {"p50": 0.5, "p99": 2.0}
    return Record(case, scenario, number, {"rate": rate, "request": request, "messages_per_cpu_second": cpu_rate})


def polls(case: str, depth: str, p50: float, highest: float = 9.0) -> Record:
    return Record(case, f"wake-up-{depth}", 1, {"wake_up": {"p50": p50, "p99": 2.0, "max": highest}})


def row(*records: Record) -> Row:
    (only,) = rows(Records(records))
    return only


def goal(*records: Record) -> Goal:
    (only,) = goals(Records(records))
    return only


def both(deep_rate: float, deep_cpu_rate: float) -> list[Record]:
    return [
        run("v1-h11", "take-1x1-shallow", 1000.0),
        run("v1-h11", "take-1x1-deep", deep_rate, deep_cpu_rate),
    ]


def test_rates_are_medians_over_all_runs() -> None:
    runs = [run("v1-h11", "take-1x1-shallow", rate) for rate in (900.0, 100.0, 700.0)]
    assert (row(*runs).shallow.rate, row(*runs).shallow.cpu_us) == (700.0, 100.0)


def test_depth_is_compared_with_none() -> None:
    measured = row(*both(950.0, 8000.0))
    assert (measured.rate_share, measured.cpu_share) == (0.95, 0.8)


@pytest.mark.parametrize(
    ("rate", "cpu_rate", "met"), [(900.0, 9000.0, True), (890.0, 9900.0, False), (990.0, 8900.0, False)]
)
def test_depth_may_cost_a_tenth_of_the_rate_and_of_the_cpu_time(rate: float, cpu_rate: float, met: bool) -> None:
    assert row(*both(rate, cpu_rate)).met is met


def test_what_was_not_measured_has_no_verdict() -> None:
    alone = row(run("v1-h11", "take-1x1-shallow", 1000.0))
    assert (alone.deep, alone.rate_share, alone.met) == (None, None, None)
    assert list(rows(Records([run("v1-h11", "take-1x1-deep", 1000.0)]))) == []


def test_a_run_that_went_wrong_does_not_count() -> None:
    wrong = Record("v1-h11", "take-1x1-shallow", 1, run("", "", 1.0).values, error="connection lost")
    assert row(run("v1-h11", "take-1x1-shallow", 1000.0), wrong).shallow.rate == 1000.0


def test_the_faster_kind_of_queue_is_what_counts_of_rabbitmq() -> None:
    asked = goal(
        run("ironmq-h11", "get-1x8-shallow", 6000.0),
        run("rabbitmq-quorum", "get-1x8-shallow", 1000.0),
        run("rabbitmq-classic", "get-1x8-shallow", 1500.0),
    )
    assert (asked.value, asked.wanted, asked.met) == (4.0, 5.0, False)


def test_an_api_that_can_not_get_takes_and_settles_as_fast() -> None:
    asked = goal(run("v1-h11", "take-1x1-shallow", 6000.0), run("rabbitmq-quorum", "get-1x1-shallow", 1000.0))
    assert (asked.value, asked.met) == (6.0, True)
    other = [run("ironmq-h11", "take-1x1-shallow", 1.0), run("rabbitmq-quorum", "get-1x1-shallow", 1000.0)]
    assert list(goals(Records(other))) == []


def stomp_run(case: str, rate: float) -> Record:
    confirm = {"p50": 4.0, "p99": 12.0}
    return Record(case, "stomp", 1, {"publish_rate": rate, "confirm": confirm, "messages_per_cpu_second": 200_000.0})


def test_batches_are_compared_with_stomp_to_the_same_daemon() -> None:
    by_stomp = [stomp_run("ironmq-h11", 200_000.0), stomp_run("v1-h11", 400_000.0)]
    asked = goal(run("ironmq-h11", "publish-100x8-shallow", 120_000.0), *by_stomp)
    assert (asked.value, asked.wanted, asked.met) == (0.6, 0.6, True)
    assert [(case.name, figure.cpu_us) for case, figure in stomp(Records(by_stomp))] == [
        ("ironmq-h11", 5.0),
        ("v1-h11", 5.0),
    ]


def test_one_connection_has_too_few_messages_unconfirmed_to_be_compared_with_stomp() -> None:
    records = [run("v1-h11", "publish-100x1-shallow", 120_000.0), stomp_run("v1-h11", 200_000.0)]
    assert list(goals(Records(records))) == []


def test_long_polls_are_compared_by_their_median_and_shown_with_the_longest() -> None:
    records = [polls("v1-h11", "shallow", 0.9), polls("v1-h11", "deep", 1.0), polls("v1-h11", "deep", 1.0, 30.0)]
    assert [(wake_up.depth, wake_up.p50, wake_up.max) for wake_up in wake_ups(Records(records))] == [
        ("shallow", 0.9, 9.0),
        ("deep", 1.0, 30.0),
    ]
    assert (goal(*records).value, goal(*records).met) == (0.9, True)
