"""The page about the API is the one that its table writes."""

from __future__ import annotations

from pathlib import Path

from segue.protocols.rest.v1.reference import PAGE, reference_page

ROOT = Path(__file__).parents[5]


def test_the_page_is_what_the_table_says() -> None:
    committed = (ROOT / PAGE).read_text(encoding="utf-8")
    assert committed == reference_page(), "run `python -m segue.protocols.rest.v1.reference` and commit what it changes"
