"""Tests of segue.storage.window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.storage.block import Run
from segue.storage.quarantine import Damage
from segue.storage.window import Window


def run_of(first: int, count: int) -> Run:
    return first, [b"%d" % seq for seq in range(first, first + count)]


def filled(*runs: Run, upto: int) -> Window:
    window = Window()
    window.fill(0, list(runs), [], upto)
    return window


@given(
    exists=st.lists(st.booleans(), max_size=40),
    limits=st.lists(st.integers(1, 9), min_size=40, max_size=40),
    skip=st.integers(0, 10),
)
def test_what_is_taken_bit_by_bit_is_all_that_there_is_in_order(
    exists: list[bool], limits: list[int], skip: int
) -> None:
    window, runs = Window(), list[Run]()
    for seq, there in enumerate(exists):
        if there and runs and runs[-1][0] + len(runs[-1][1]) == seq:
            runs[-1][1].append(b"%d" % seq)
        elif there:
            runs.append((seq, [b"%d" % seq]))
    window.fill(0, runs, [], len(exists))
    found, seq = list[int](), skip
    for limit in limits:
        begin, records = window.take(seq, limit)
        assert len(records) <= limit
        assert records == [b"%d" % n for n in range(begin, begin + len(records))]
        found += range(begin, begin + len(records))
        seq = begin + len(records)
    assert found == [n for n, there in enumerate(exists) if there and n >= skip]


def test_numbers_are_picked_up_to_the_first_that_is_not_there() -> None:
    window = filled(run_of(3, 4), run_of(9, 2), run_of(12, 3), upto=20)
    assert window.pick([2, 3]) == []
    assert window.pick([4, 6, 9]) == [b"4", b"6", b"9"]
    assert window.pick([10, 11, 12]) == [b"10"]
    assert window.pick([12, 14, 15]) == [b"12", b"14"]
    assert (window.pick([15]), window.bytes) == ([], 0)


def test_what_is_empty_says_where_to_go_on() -> None:
    window = filled(run_of(3, 2), upto=9)
    assert window.take(3, 9) == run_of(3, 2)
    assert window.take(5, 9) == (9, [])
    assert window.take(12, 9) == (12, []), "never back"


def test_its_size_is_that_of_the_runs_that_are_not_used_up() -> None:
    window = filled(run_of(1, 3), run_of(8, 2), upto=20)
    assert window.bytes == 5
    window.take(1, 3)
    window.take(8, 1)
    assert window.bytes == 2
    window.take(10, 1)
    assert window.bytes == 0


def test_a_read_that_was_begun_before_a_clear_is_ignored() -> None:
    window = Window()
    late = window.generation
    window.reading = True
    window.clear()
    window.reading = True
    window.fill(late, [run_of(1, 3)], [Damage(5, 6, "")], 9)
    window.failed(late)
    assert (window.bytes, window.upto, list(window.damage), window.reading) == (0, 0, [], True)
    window.failed(window.generation)
    assert not window.reading


def test_a_clear_forgets_damage_too() -> None:
    window = Window()
    window.fill(0, [run_of(1, 3)], [Damage(5, 6, "")], 9)
    window.clear()
    assert (window.bytes, window.upto, list(window.damage)) == (0, 0, [])
    assert window.take(1, 9) == (1, [])
