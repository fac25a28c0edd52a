"""Tests of segue.storage.spares, and of the journal files that a crash may leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.storage.spares import Spares
from tests.faults.storage.simulated_disk import SimulatedDisk, no_space

SIZE = 8192


@pytest.fixture
def disk(tmp_path: Path) -> SimulatedDisk:
    (tmp_path / "journal").mkdir()
    return SimulatedDisk(tmp_path)


def test_a_spare_that_a_crash_left_half_made_is_not_taken(disk: SimulatedDisk) -> None:
    disk.create("journal/new-1.journal", 4096).close()
    disk.create("journal/free-2.journal", 4096).close()
    disk.create("journal/free-3.journal", SIZE).close()
    assert len(Spares(disk, SIZE)) == 1
    assert disk.list("journal") == ["free-3.journal"]


def test_a_spare_is_placed_under_its_name_and_is_there_for_good(disk: SimulatedDisk) -> None:
    spares = Spares(disk, SIZE)
    spares.make()
    spares.place("journal/0.journal", SIZE)
    assert (len(spares), disk.size("journal/0.journal")) == (0, SIZE)
    assert "journal/0.journal" in disk._names.durable


def test_without_a_spare_one_is_made_on_the_spot(disk: SimulatedDisk) -> None:
    Spares(disk, SIZE).place("journal/0.journal", 4096)
    assert disk.list("journal") == ["0.journal"]


def test_a_batch_larger_than_a_spare_gets_a_file_of_its_own(disk: SimulatedDisk) -> None:
    spares = Spares(disk, SIZE)
    spares.make()
    spares.place("journal/0.journal", 3 * SIZE)
    assert (len(spares), disk.size("journal/0.journal")) == (1, 3 * SIZE)


def test_old_files_become_spares_until_there_are_enough(disk: SimulatedDisk) -> None:
    spares = Spares(disk, SIZE)
    for number in range(6):
        disk.create(f"journal/{number}.journal", SIZE if number else 2 * SIZE).close()
        spares.keep(f"journal/{number}.journal", disk.size(f"journal/{number}.journal"))
    assert len(spares) == 4
    assert all(name.startswith("free-") for name in disk.list("journal"))


def test_under_load_files_go_round_and_no_new_one_is_made(disk: SimulatedDisk) -> None:
    """A spare is missed as soon as a file is rolled over; the old file comes back with the next checkpoint."""
    spares = Spares(disk, SIZE)
    created: list[int] = []
    for number in range(8):
        spares.make()
        spares.make()
        spares.place(f"journal/{number}.journal", SIZE)
        spares.make()  # somebody has seen that one is missing
        if number:
            spares.keep(f"journal/{number - 1}.journal", SIZE)
        created.append(sum(call.what == "create" for call in disk.calls))
    assert created[-1] == created[2]


def test_the_last_spare_is_never_given_up(disk: SimulatedDisk) -> None:
    spares = Spares(disk, SIZE)
    spares.make()
    spares.make()
    assert [spares.give_up(), spares.give_up(), len(spares)] == [True, False, 1]


def test_a_spare_that_finds_no_room_leaves_nothing(disk: SimulatedDisk) -> None:
    spares = Spares(disk, SIZE)
    disk.fault = no_space()
    with pytest.raises(OSError, match="No space left"):
        spares.make()
    assert (len(spares), disk.list("journal")) == (0, [])
