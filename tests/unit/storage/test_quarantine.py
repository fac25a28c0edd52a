"""Tests of segue.storage.quarantine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.storage.quarantine import Damage, Quarantine

RANGES = st.lists(
    st.tuples(st.booleans(), st.integers(1, 40), st.integers(0, 12)).map(lambda t: (t[0], t[1], t[1] + t[2])),
    max_size=12,
)


@given(steps=RANGES)
def test_it_is_a_set_of_numbers_kept_as_ranges(steps: list[tuple[bool, int, int]]) -> None:
    quarantine, model = Quarantine(), set[int]()
    for adds, first, last in steps:
        if adds:
            quarantine.add(first, last, "damaged")
            model |= {*range(first, last + 1)}
        else:
            quarantine.remove(first, last)
            model -= {*range(first, last + 1)}
        ranges = list(quarantine)
        assert {n for a, b, _ in ranges for n in range(a, b + 1)} == model
        assert len(quarantine) == len(model), "ranges don't overlap"
        assert ranges == sorted(ranges)
        assert {n for n in range(60) if n in quarantine} == model
        assert quarantine.low() == min(model, default=None)
        assert bool(quarantine) == bool(model)


def test_what_is_there_already_keeps_its_reason() -> None:
    quarantine = Quarantine()
    quarantine.add(5, 6, "first")
    quarantine.add(4, 8, "second")
    assert list(quarantine) == [Damage(4, 4, "second"), Damage(5, 6, "first"), Damage(7, 8, "second")]
