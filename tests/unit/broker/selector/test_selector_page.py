"""The reference page says what the code does."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from segue.broker.selector import SelectorError, compile_selector
from segue.broker.selector.limits import DEPTH_MAX, FLOATING_CHARACTERS_MAX, TEXT_CHARACTERS_MAX, TOKENS_MAX
from segue.broker.selector.literals import RESERVED_WORDS

PAGE = (Path(__file__).parents[4] / "docs/reference/selectors.md").read_text(encoding="utf-8")
CONDITIONS = {"true": "a = 1", "false": "a = 2", "unknown": "missing = 1"}


def section(title: str) -> str:
    return re.split(r"^##+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def cells(line: str) -> list[str]:
    return [cell.strip(" *`") for cell in line.strip("| ").split("|")]


@pytest.mark.parametrize("word", ["AND", "OR"])
def test_the_truth_tables_are_those_of_the_code(word: str) -> None:
    table = section("True, false, unknown").partition(f"| `{word}` |")[2].split("\n\n")[0].splitlines()
    columns, rows = cells(table[0]), [cells(line) for line in table[2:]]
    shown = {(row[0], column): cell for row in rows for column, cell in zip(columns, row[1:], strict=True)}
    assert shown == {pair: truth_of(word, *pair) for pair in product(CONDITIONS, repeat=2)}


def truth_of(word: str, left: str, right: str) -> str:
    text = f"{CONDITIONS[left]} {word} {CONDITIONS[right]}"
    if compile_selector(text).matches({"a": "1"}):
        return "true"
    return "false" if compile_selector(f"NOT ({text})").matches({"a": "1"}) else "unknown"


@pytest.mark.parametrize("text", ["region = ", "a != 1", "a > 'eu'"])
def test_the_errors_that_are_shown_are_those_of_the_code(text: str) -> None:
    with pytest.raises(SelectorError) as caught:
        compile_selector(text)
    assert str(caught.value) in section("Errors").splitlines()


def test_every_example_of_a_condition_is_a_selector() -> None:
    examples = [example for line in section("The language").splitlines() for example in examples_in(line)]
    assert len(examples) > 10
    for example in [*examples, PAGE.split("```")[1].strip()]:
        assert compile_selector(example).names


def examples_in(line: str) -> list[str]:
    """The conditions in the third column: what there is of them in a row on literals and names is no condition."""
    found = re.findall(r"`([^`]+)`", line.split("|")[3]) if line.startswith("| ") and line.count("|") == 5 else []
    return [each for each in found if re.search(r"[=<>]|\b(IN|IS|LIKE|BETWEEN|NOT)\b", each)]


def test_the_keywords_are_those_of_the_code() -> None:
    listed = re.search(r"are no names: `([A-Z ]+)`", PAGE)
    assert listed is not None
    assert listed[1].split() == sorted(RESERVED_WORDS)


def test_the_limits_are_those_of_the_code() -> None:
    rows = [cells(line)[1].split(",")[0] for line in section("Limits").splitlines() if line.startswith("| ")][1:]
    assert rows == [str(limit) for limit in (TEXT_CHARACTERS_MAX, TOKENS_MAX, DEPTH_MAX, FLOATING_CHARACTERS_MAX)]
