"""The bare synchronous write."""

from pathlib import Path

from segue.bench.comparison.bare_write import measure_bare_write


def test_every_write_is_timed_and_nothing_is_left_behind(tmp_path: Path) -> None:
    measured = measure_bare_write(tmp_path / "new", seconds=0.05)
    assert 0 < measured.p50 <= measured.p99 <= measured.max
    assert list((tmp_path / "new").iterdir()) == []


def test_at_least_one_write_is_made_however_short_the_time(tmp_path: Path) -> None:
    assert measure_bare_write(tmp_path, seconds=0.0).count == 1
