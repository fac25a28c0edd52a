"""Tests of segue.storage.pace."""

from __future__ import annotations

import pytest

from segue.storage.pace import FILE_BYTES_MIN, Pace

MIB = 1 << 20
FULL = 64 * MIB


class Writing:
    """A journal that is looked at once a second, and whenever it has begun a file."""

    def __init__(self, file_bytes: int) -> None:
        self.now = 100.0
        self.position = 0
        self.sizes = [file_bytes]
        self._pace = Pace(file_bytes, FULL, self.now, self.position)

    def write(self, bytes_a_second: float, seconds: float) -> None:
        """Sizes that differ from the one before are noted."""
        end = self.now + seconds
        while self.now < end:
            pause = min(1.0, self.sizes[-1] / bytes_a_second if bytes_a_second else 1.0)
            self.now += pause
            self.position += int(bytes_a_second * pause)
            size = self._pace.look(self.now, self.position)
            if size != self.sizes[-1]:
                self.sizes.append(size)


@pytest.mark.parametrize(
    ("mib_a_second", "mib"), [(0, 8), (1, 8), (4, 8), (5, 16), (10, 32), (15, 32), (20, 64), (50, 64), (500, 64)]
)
def test_a_file_lasts_some_seconds_as_far_as_the_bounds_let_it(mib_a_second: int, mib: int) -> None:
    writing = Writing(FULL)
    writing.write(mib_a_second * MIB, 60.0)
    assert writing.sizes[-1] == mib * MIB


def test_under_load_the_size_doubles_with_each_file() -> None:
    writing = Writing(FILE_BYTES_MIN)
    writing.write(100 * MIB, 2.0)
    assert writing.sizes == [8 * MIB, 16 * MIB, 32 * MIB, 64 * MIB]


def test_a_pause_of_some_seconds_changes_nothing() -> None:
    writing = Writing(FULL)
    for _ in range(5):
        writing.write(30 * MIB, 7.0)
        writing.write(0, 3.0)
    assert writing.sizes == [FULL]


def test_at_a_steady_rate_the_size_does_not_change_to_and_fro() -> None:
    for mib_a_second in (1.9, 2.1, 3.9, 4.1, 7.9, 8.1, 15.9, 16.1, 32.1):
        for began in (FILE_BYTES_MIN, FULL):
            writing = Writing(began)
            writing.write(mib_a_second * MIB, 300.0)
            assert writing.sizes in (sorted(set(writing.sizes)), sorted(set(writing.sizes), reverse=True))


def test_a_burst_makes_it_larger_for_a_while() -> None:
    writing = Writing(FILE_BYTES_MIN)
    writing.write(9 * MIB, 1.0)
    writing.write(0, 60.0)
    assert writing.sizes == [8 * MIB, 16 * MIB, 8 * MIB]


@pytest.mark.parametrize("seconds", [1.0, 2.0, 5.0])
def test_several_of_the_large_batches_that_come_again_and_again_go_into_a_file(seconds: float) -> None:
    pace = Pace(FILE_BYTES_MIN, FULL, 0.0, 0)
    sizes = [pace.look(number * seconds, number * 17 * MIB, 17 * MIB) for number in range(1, 40)]
    assert sizes[:3] == [16 * MIB, 32 * MIB, 64 * MIB]
    assert set(sizes[3:]) == {64 * MIB}


def test_one_large_batch_makes_files_larger_for_a_while() -> None:
    pace = Pace(FILE_BYTES_MIN, FULL, 0.0, 0)
    sizes = [pace.look(1.0, 17 * MIB, 17 * MIB)]
    sizes += [pace.look(float(second), 17 * MIB) for second in range(2, 40)]
    assert sizes[0] == 16 * MIB
    assert sizes[-1] == FILE_BYTES_MIN


def test_files_that_the_settings_want_smaller_than_the_least_stay_as_they_are() -> None:
    pace = Pace(MIB, MIB, 0.0, 0)
    assert [pace.look(0.5, 100 * MIB), pace.look(60.0, 100 * MIB)] == [MIB, MIB]
