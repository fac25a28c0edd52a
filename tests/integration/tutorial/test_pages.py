"""What the documentation names is there: pages, files, modules, settings, commands, decisions."""

from __future__ import annotations

import re
from argparse import _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.broker.cli import build_parser
from segue.broker.settings.keys import keys_of
from segue.broker.settings.tree import SECTIONS
from tests.integration.tutorial.markdown import ROOT, anchors, blocks, code_spans, links, pages, prose

INDEX = Path("docs/README.md")
DECISIONS = Path("docs/adr/README.md")
BEHAVIOUR = Path("docs/reference/limits-and-behaviour.md")
# Folders of the repository that a page may name a file of, and the names that code is imported by.
PLACES = ("bench", "broker", "conf", "docs", "protocols", "storage", "systemd", "tests", ".ci", ".typing")
MODULES = ("bench", "broker", "conf", "protocols", "storage", "systemd")
SETTINGS = {f"{name}.{key.name}": key for name, section in SECTIONS.items() for key in keys_of((name,), section)}
SOURCES = [path.read_text(encoding="utf-8") for folder in MODULES for path in (ROOT / folder).rglob("*.py")]
# What `--json` shows has names like those of settings; that each exists is tested in tests/unit/broker/test_inspect.py.
MEMBERS = set(code_spans(Path("docs/reference/statistics.md")))
EVENT = re.compile(r'(?:log\.(?:debug|info|warning|error|crash)\(\s*|_append\("warning", )"([a-z]+\.[a-z_]+)"')
EVENTS = {name for text in SOURCES for name in EVENT.findall(text)}


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_link_leads_to_a_page_and_to_a_heading_of_it(page: Path) -> None:
    assert [link for link in links(page) if "://" not in link and not leads_somewhere(page, link)] == []


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_file_and_module_that_is_named_exists(page: Path) -> None:
    assert [span for span in code_spans(page) if not exists(span)] == []


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_setting_and_event_that_is_named_exists(page: Path) -> None:
    named = {span for span in code_spans(page) if re.fullmatch(rf"({'|'.join(SECTIONS)})\.[a-z_]+", span)}
    files = {name for name in named if name.endswith((".py", ".md", ".toml", ".db", ".sock"))}
    assert named - files - SETTINGS.keys() - EVENTS - MEMBERS == set()


@pytest.mark.parametrize("page", pages(), ids=str)
def test_the_value_that_is_given_with_a_setting_is_its_default(page: Path) -> None:
    assert [(name, value) for name, value in values(page) if not is_default(name, value)] == []


def test_every_event_of_the_log_is_in_its_table_and_no_other() -> None:
    rows = re.findall(r"^\| (`.+?`) \| [a-z, ]+ \|", prose(BEHAVIOUR).partition("## Log events")[2], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == EVENTS, f"see {BEHAVIOUR}"


def test_every_file_of_the_broker_stands_in_the_map_of_it_and_once() -> None:
    chapter = prose(Path("ARCHITECTURE.md")).partition("### The files of broker/")[2].partition("## Who")[0]
    named = re.findall(r"`([a-z_]+\.py)`", "".join(line for line in chapter.splitlines() if line.startswith("|")))
    there = [path.name for path in (ROOT / "broker").glob("*.py") if not path.name.startswith("__")]
    assert sorted(named) == sorted(there)


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_command_that_is_named_has_these_words_and_flags(page: Path) -> None:
    assert [" ".join(words) for words in commands(page) if not is_understood(words)] == []


def test_every_page_can_be_reached_from_the_index() -> None:
    missing = {page for page in pages() if page.parts[0] == "docs"} - reached_from(INDEX)
    assert missing == set(), "add a line to docs/README.md, or to a page that it leads to"


def test_every_decision_is_in_the_list_of_decisions_under_its_own_title() -> None:
    text = (ROOT / DECISIONS).read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[\d{4}\]\(([^)]+)\) \| (.+) \|$", text, re.MULTILINE))
    titles = {page.name: title_of(page) for page in decisions()}
    assert {name: f"{name[:4]}: {title}" for name, title in rows.items()} == titles


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:4]) for page in decisions()]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("part", ["Context", "Decision", "Why", "Consequences"])
def test_every_decision_has_its_parts(part: str) -> None:
    assert [str(page) for page in decisions() if f"**{part}.**" not in prose(page)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not (ROOT / target).exists():
        return False
    return not anchor or anchor in anchors(target)


def reached_from(page: Path) -> set[Path]:
    reached, rest = set[Path](), [page]
    while rest:
        here = rest.pop()
        if here not in reached:
            reached.add(here)
            rest += [to for to in linked(here) if to.suffix == ".md" and (ROOT / to).is_file()]
    return reached


def linked(page: Path) -> Iterator[Path]:
    for link in links(page):
        name = link.partition("#")[0]
        if name and "://" not in name:
            yield (ROOT / page.parent / name).resolve().relative_to(ROOT.resolve())


def exists(span: str) -> bool:
    """True for what is no path and no module of ours, and for what is there. Placeholders are looked up as patterns."""
    if re.fullmatch(rf"({'|'.join(map(re.escape, PLACES))})/[\w./{{}},*<>-]*", span):
        return any(any(ROOT.glob(pattern)) for pattern in alternatives(span))
    if re.fullmatch(rf"segue\.({'|'.join(MODULES)})(\.\w+)*", span):
        return is_module(span.split(".")[1:])
    return True


def alternatives(span: str) -> list[str]:
    pattern = re.sub(r"<[^>]*>", "*", span).rstrip("/")
    match = re.search(r"\{([^}]*)\}", pattern)
    if match is None:
        return [pattern]
    return [pattern.replace(match[0], choice) for choice in match[1].split(",")]


def is_module(parts: list[str]) -> bool:
    """True for a module, and for a name in one."""
    for known in (parts, parts[:-1]):
        path = ROOT.joinpath(*known) if known else ROOT
        module = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if module.is_file():
            return known is parts or re.search(rf"^(class |def |){parts[-1]}\b", module.read_text(), re.M) is not None
    return False


def values(page: Path) -> Iterator[tuple[str, str]]:
    """Settings with the value in brackets behind them, or in the cell of a table before them."""
    for name, value in re.findall(r"`([a-z]+\.[a-z_]+)`\s\((\d[^)]*)\)", prose(page)):
        yield name, value
    for value, name in re.findall(r"\| (\d[^|]*) \| `([a-z]+\.[a-z_]+)` \|$", prose(page), re.MULTILINE):
        yield name, value


def is_default(name: str, value: str) -> bool:
    key = SETTINGS[name]
    return bool(key.setting.kind.read_text(re.sub(r",| bytes$", "", value.strip())) == key.default)


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every command of ours, in the text and in blocks."""
    lines = [line for block in blocks(page) if block.language in ("sh", "") for line in block.text.splitlines()]
    for text in [*lines, *code_spans(page)]:
        for call in re.findall(r"(?:^|[ (/])segue ([a-z][^|&;<>()]*)", text):
            yield call.split()


def is_understood(words: list[str]) -> bool:
    """True when every word names a command as far as there are some, and every flag is one of that command."""
    parser = build_parser(None)
    for word in words:
        nested = next((action for action in parser._actions if isinstance(action, _SubParsersAction)), None)
        if nested is not None:
            if word not in nested.choices:
                return False
            parser = nested.choices[word]
        elif word.startswith("--") and word not in parser._option_string_actions:
            return False
    return True


def decisions() -> list[Path]:
    return [page for page in pages() if page.parent == DECISIONS.parent and page != DECISIONS]


def title_of(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
