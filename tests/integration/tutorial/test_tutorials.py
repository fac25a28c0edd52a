"""Whoever types what the tutorials say sees what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.tutorial.markdown import blocks, pages
from tests.integration.tutorial.walkthrough import walk_through

# Every page with a block of `sh` is run: what a reader may type is tested.
PAGES = [str(page) for page in pages() if any(block.language == "sh" for block in blocks(page))]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(page: str, tmp_path: Path) -> None:
    walk = walk_through(Path(page), tmp_path)
    differences = list(walk.unexpected())
    assert not differences, "\n".join(differences)
    assert not walk.left_running
