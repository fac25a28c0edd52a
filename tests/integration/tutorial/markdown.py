"""Markdown as these tests see it: code blocks, links, code spans and headings. Only what our own pages use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Block", "anchors", "blocks", "code_spans", "links", "pages", "prose"]

ROOT = Path(__file__).parents[3]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: `language` is what stands behind the fence, `line` where the block begins in its page."""

    language: str
    text: str
    line: int


def pages() -> list[Path]:
    """Every page that is written for a reader, relative to the root."""
    return sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = _read(page)
    for match in _FENCE.finditer(text):
        yield Block(match[1], match[2], text.count("\n", 0, match.start()) + 1)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", _read(page))


def links(page: Path) -> list[str]:
    """Where the links of a page lead to."""
    return _LINK.findall(_SPAN.sub("", prose(page)))


def code_spans(page: Path) -> list[str]:
    """What stands in backquotes in the text of a page."""
    return _SPAN.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """What a link to a heading of a page may name, as GitHub makes it of the heading."""
    titles = [re.sub(r"\]\([^)]*\)", "", title) for title in _HEADING.findall(prose(page))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def _read(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")
