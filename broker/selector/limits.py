"""How large a selector may be, so that neither to read it nor to ask it costs much."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CACHED_CHARACTERS_MAX",
    "CACHED_SELECTORS_MAX",
    "DEPTH_MAX",
    "FLOATING_CHARACTERS_MAX",
    "TEXT_CHARACTERS_MAX",
    "TOKENS_MAX",
]

TEXT_CHARACTERS_MAX: Final = 8 * 1024
"""Half of what a header line may have. Selectors that people write have less than 200."""
TOKENS_MAX: Final = 1000
"""Names, literals, operators, parentheses and commas. To read them takes 14 ms, for which all others wait."""
DEPTH_MAX: Final = 64
"""Levels of parentheses, NOT and signs: each is a call within a call when a message is asked for, and Python allows
1,000 of those."""
FLOATING_CHARACTERS_MAX: Final = 256
"""Characters of LIKE patterns in pieces that have a `%` on both sides and a `_` in them. Only these are looked for at
each place of a value: this times 16 KiB, the longest value, is the worst that a message can cost."""
CACHED_SELECTORS_MAX: Final = 256
"""Compiled selectors that are kept: many consumers share few selectors, and most brokers have fewer than this."""
CACHED_CHARACTERS_MAX: Final = 256
"""Of the text of one that is kept. An ordinary selector takes 3 KiB; one that is made to be large, 150 times its text.
Longer ones could fill 40 MiB with what nobody asks for again; these fill less than 10."""
