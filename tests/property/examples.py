"""How many examples a property has whose examples are large: a number of its own, and more if the profile says so."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

__all__ = ["examples"]

_HELD_BACK: Final = 4
"""A life of a store takes half a second: with twenty times as many, as for others, one test would take five minutes."""


def examples(number: int) -> settings:
    """Settings for a test that has so many examples in `make test`, and five times as many in `make test-long`.

    To be called when the module of the test is imported: by then the profile is chosen.
    """
    usual, chosen = settings.get_profile("segue"), settings.default
    assert chosen is not None
    return settings(max_examples=number * max(1, chosen.max_examples // usual.max_examples // _HELD_BACK))
