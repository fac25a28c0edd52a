"""What /proc and /sys say about processes and disks."""

import os
from pathlib import Path

from segue.bench.comparison.measure import cpu_seconds, disk_bytes, flush_count, resident_bytes, whole_disk

NO_PROCESS = 2**22 + 1


def test_our_own_memory_is_more_than_a_python_and_less_than_the_machines() -> None:
    assert 5 * 2**20 < resident_bytes([os.getpid()]) < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_our_own_cpu_time_is_what_the_process_says_of_itself() -> None:
    before = cpu_seconds([os.getpid()])
    sum(number * number for number in range(500_000))
    own = sum(os.times()[:2])
    assert before <= cpu_seconds([os.getpid()]) <= own + 0.1


def test_a_process_that_has_ended_counts_nothing() -> None:
    assert (cpu_seconds([NO_PROCESS]), resident_bytes([NO_PROCESS])) == (0, 0)


def test_disk_use_counts_the_blocks_of_files_in_all_folders(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(os.urandom(100_000))
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**9)
    assert 100_000 <= disk_bytes(tmp_path) < 10**6


def test_flushes_are_the_sixteenth_number_of_a_disk(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(" ".join(str(number) for number in range(1, 18)), encoding="ascii")
    assert flush_count(tmp_path) == 16


def test_a_kernel_that_does_not_count_flushes_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("1 2 3", encoding="ascii")
    assert (flush_count(tmp_path), flush_count(None)) == (None, None)


def test_a_directory_that_is_not_there_yet_is_on_the_disk_of_its_parent(tmp_path: Path) -> None:
    assert whole_disk(tmp_path / "not" / "yet") == whole_disk(tmp_path)
