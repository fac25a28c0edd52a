"""Results as text."""

from dataclasses import replace

from segue.bench.histogram import Percentiles
from segue.bench.ledger import Block, Ledger
from segue.bench.result import Result
from segue.bench.table import align, describe, describe_blocks
from segue.bench.workload import Workload

LATENCY = Percentiles(count=1000, mean=1.5, p50=1.0, p90=2.0, p99=3.0, p99_9=4.0, max=5.0)
NOTHING = Result.of(Workload(producers=1), Ledger(), out_of_order=0, generator_cpu_seconds=0.0, error="")
PUBLISHED = replace(NOTHING, sent=1000, confirmed=1000, publish_rate=2500.0, seconds=0.4, confirm=LATENCY)


def test_a_publish_run_has_a_row_of_what_was_confirmed() -> None:
    header, row, _ = describe(PUBLISHED).splitlines()
    assert header.split() == ["messages", "per", "second", "p50", "ms", "p99", "ms", "p99.9", "ms", "max", "ms"]
    assert row.split() == ["confirmed", "1,000", "2,500", "1.00", "3.00", "4.00", "5.00"]


def test_what_was_checked_is_said_where_messages_were_received() -> None:
    text = describe(replace(PUBLISHED, received=1000, missing=2, duplicates=1))
    assert "2 missing, 1 twice, 0 out of order" in text


def test_a_generator_at_its_limit_says_so() -> None:
    assert "the generator itself was busy" not in describe(replace(PUBLISHED, generator_cpu_seconds=0.1))
    assert "the generator itself was busy" in describe(replace(PUBLISHED, generator_cpu_seconds=0.39))


def test_a_run_that_failed_at_once_shows_no_empty_table() -> None:
    assert describe(replace(NOTHING, error="refused")).splitlines()[-1] == "FAILED: refused"
    assert "messages" not in describe(replace(NOTHING, error="refused"))


def test_blocks_are_numbered_by_the_messages_so_far() -> None:
    rows = describe_blocks([Block(100, 1.0, LATENCY), Block(100, 2.0, None)]).splitlines()
    assert [row.split()[:3] for row in rows[1:]] == [["100", "100", "1.00"], ["200", "50", "-"]]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert list(align([["a", "1"], ["bcd", "1000"]])) == ["a        1", "bcd   1000"]


def test_only_a_run_without_any_fault_is_faultless() -> None:
    assert PUBLISHED.faultless
    for name in ("missing", "duplicates", "out_of_order"):
        assert not replace(PUBLISHED, **{name: 1}).faultless  # type: ignore[arg-type]
    assert not replace(PUBLISHED, error="x").faultless
