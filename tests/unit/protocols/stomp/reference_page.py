"""The tables of docs/reference/stomp.md, to be compared with those of the code."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["codes_in", "table"]

PAGE = Path(__file__).parents[4] / "docs/reference/stomp.md"


def table(heading: str) -> list[list[str]]:
    """The cells of every row of the tables below a heading, without those that head a table."""
    section = re.split(r"^#+ ", page(), flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(f"{heading}\n")]
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if not is_head(row)]


def codes_in(cell: str) -> list[str]:
    """What stands between backquotes."""
    return re.findall("`([^`]+)`", cell)


def is_head(row: list[str]) -> bool:
    return not codes_in(row[0])


@cache
def page() -> str:
    return PAGE.read_text(encoding="utf-8")
