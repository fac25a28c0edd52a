"""Tests of segue.storage.spares, and of the journal files that a crash may leave."""

from __future__ import annotations

import errno
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


def test_a_batch_that_a_spare_of_full_size_holds_leaves_a_small_one(disk: SimulatedDisk) -> None:
    spares = Spares(disk, SIZE, 4 * SIZE)
    spares.make()
    spares.place("journal/0.journal", 2 * SIZE)
    assert (len(spares), disk.size("journal/0.journal")) == (1, 2 * SIZE)


def sizes_of(disk: SimulatedDisk) -> list[int]:
    return sorted(disk.size(f"journal/{name}") for name in disk.list("journal"))


def test_files_that_are_to_be_larger_come_one_after_the_other(disk: SimulatedDisk) -> None:
    """Small spares are there already: they are used up."""
    spares = Spares(disk, SIZE, 4 * SIZE)
    make_all(spares)
    spares.resize(2 * SIZE)
    make_all(spares)
    assert sizes_of(disk) == [SIZE, SIZE, 2 * SIZE]
    spares.place("journal/0.journal", SIZE)
    spares.place("journal/1.journal", SIZE)
    assert [disk.size(f"journal/{number}.journal") for number in (0, 1)] == [SIZE, SIZE]
    make_all(spares)
    assert sizes_of(disk) == [SIZE, SIZE, 2 * SIZE, 2 * SIZE]


def test_large_spares_go_when_there_are_enough_small_ones(disk: SimulatedDisk) -> None:
    """At no moment is there none."""
    spares = Spares(disk, 4 * SIZE)
    make_all(spares)
    spares.resize(SIZE)
    assert sizes_of(disk) == [4 * SIZE, 4 * SIZE]
    make_all(spares)
    spares.resize(SIZE)
    assert sizes_of(disk) == [SIZE, SIZE]


def test_old_files_of_another_size_are_removed(disk: SimulatedDisk) -> None:
    spares = Spares(disk, SIZE, 4 * SIZE)
    for number, size in enumerate((4 * SIZE, SIZE)):
        disk.create(f"journal/{number}.journal", size).close()
        spares.keep(f"journal/{number}.journal", size)
    assert sizes_of(disk) == [SIZE]


@pytest.mark.parametrize("free", [31 * SIZE, None])
def test_on_a_disk_that_is_nearly_full_the_reserve_is_of_full_size(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch, free: int | None
) -> None:
    """Fault 17. A file system that does not tell may be as full."""

    def free_bytes() -> int:
        if free is None:
            raise OSError(errno.EIO, "Input/output error")
        return free

    spares = Spares(disk, SIZE, 4 * SIZE)
    make_all(spares)
    monkeypatch.setattr(disk, "free_bytes", free_bytes)
    spares.resize(SIZE)
    make_all(spares)
    assert sizes_of(disk) == [SIZE, SIZE, 4 * SIZE, 4 * SIZE]
    spares.resize(SIZE)
    assert spares.file_bytes == 4 * SIZE


def make_all(spares: Spares) -> None:
    while spares.missing():
        spares.make()


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
