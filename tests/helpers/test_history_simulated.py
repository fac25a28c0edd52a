"""Tests of the history checker on simulated histories: right ones pass, and every flaw of a broker is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.history.checker import Kind, check
from tests.helpers.history.simulation import Flaw, simulate

__all__: list[str] = []

# What a flaw may be taken for: each of these is a true accusation.
_FINDINGS = {
    Flaw.CONFIRMS_BEFORE_THE_SYNC: {Kind.LOST, Kind.AFTER_ACK, Kind.TORN},
    Flaw.FORGETS_ACKS_AT_A_CRASH: {Kind.AFTER_ACK},
    Flaw.FORGETS_FLAGS_AT_A_CRASH: {Kind.UNFLAGGED},
    Flaw.RETURNS_TO_THE_END: {Kind.OVERTAKEN, Kind.OUT_OF_ORDER},
    Flaw.HANDS_OUT_TWICE: {Kind.OUT_TWICE, Kind.AFTER_ACK},
    Flaw.DELIVERS_ABORTED: {Kind.NOT_COMMITTED},
    Flaw.TEARS_TRANSACTIONS_AT_A_CRASH: {Kind.TORN},
    Flaw.SKIPS_THE_HEAD: {Kind.OUT_OF_ORDER, Kind.OVERTAKEN},
    Flaw.DROPS_RETURNED: {Kind.LOST},
    Flaw.FLIPS_A_BIT: {Kind.CORRUPTED},
    Flaw.RESETS_COUNTS_AT_A_CRASH: {Kind.COUNT},
}


@given(seed=st.integers(0, 2**32), steps=st.integers(0, 600))
def test_a_right_broker_is_never_accused(seed: int, steps: int) -> None:
    assert [str(violation) for violation in check(simulate(seed, steps=steps))] == []


@pytest.mark.parametrize("flaw", Flaw, ids=lambda flaw: flaw.name.lower())
def test_a_flaw_is_found(flaw: Flaw) -> None:
    found: set[Kind] = set()
    for seed in range(200):
        found |= {violation.kind for violation in check(simulate(seed, steps=400, flaw=flaw))}
        if found & _FINDINGS[flaw]:
            return
    pytest.fail(f"{flaw.name}: only {found} was found")


@pytest.mark.long
@pytest.mark.parametrize("block", range(5))
def test_a_right_broker_is_never_accused_in_twenty_thousand_histories(block: int) -> None:
    """The rare false accusations showed up once in some thousand histories."""
    seeds = range(block * 4000, (block + 1) * 4000)
    accused = {seed: found for seed in seeds if (found := check(simulate(seed, steps=500)))}
    assert accused == {}
