"""Records: written at once, read again, and asked for medians."""

from pathlib import Path

from segue.bench.comparison.records import Record, Records, append_record, read_records

ROUNDS = Records(
    [
        Record("segue", "e2e-1x1", 1, {"delivery_rate": 100.0, "latency": {"p50": 1.0}}),
        Record("segue", "e2e-1x1", 2, {"delivery_rate": 300.0, "latency": None}),
        Record("segue", "e2e-1x1", 3, {"delivery_rate": 120.0, "latency": {"p50": 2.0}}),
        Record("segue", "e2e-1x1", 4, {"delivery_rate": 1.0}, error="connection lost"),
        Record("rabbitmq-quorum", "e2e-1x1", 1, {"delivery_rate": 50.0}),
        Record("disk", "bare-write", 1, {"write": {"p50": 0.2}}),
    ]
)


def test_a_value_is_the_median_of_the_rounds_that_went_through() -> None:
    assert ROUNDS.value("segue", "e2e-1x1", "delivery_rate") == 120.0


def test_a_value_that_some_rounds_lack_is_the_median_of_the_others() -> None:
    assert ROUNDS.value("segue", "e2e-1x1", "latency", "p50") == 1.5


def test_the_highest_is_over_all_rounds_that_went_through() -> None:
    assert ROUNDS.highest("segue", "e2e-1x1", "delivery_rate") == 300.0


def test_what_was_not_measured_has_no_value() -> None:
    assert ROUNDS.value("activemq", "e2e-1x1", "delivery_rate") is None
    assert ROUNDS.value("segue", "e2e-1x1", "delivery_rate", "deeper") is None


def test_the_disk_is_no_broker() -> None:
    assert ROUNDS.peers() == ["segue", "rabbitmq-quorum"]


def test_errors_are_listed() -> None:
    assert [(record.peer, record.round) for record in ROUNDS.errors()] == [("segue", 4)]


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "results" / "x.jsonl"
    for number in (1, 2):
        append_record(file, Record("segue", "e2e-1x1", number, {"delivery_rate": float(number)}))
    assert read_records(file).of("segue", "e2e-1x1") == [
        Record("segue", "e2e-1x1", number, {"delivery_rate": float(number)}) for number in (1, 2)
    ]
