"""The scanner finds the line of every key that tomllib reads."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.settings.faults import KeyPath
from segue.broker.settings.kinds import quote
from segue.broker.settings.toml_lines import scan_lines


def test_keys_and_tables_have_the_lines_they_stand_on() -> None:
    text = '# head\n\n[storage]\ndata_directory = "x"  # why\n\n[users.alice]\npassword_hash = "y"\n'
    assert scan_lines(text) == {
        ("storage",): 3,
        ("storage", "data_directory"): 4,
        ("users",): 6,
        ("users", "alice"): 6,
        ("users", "alice", "password_hash"): 7,
    }


@pytest.mark.parametrize(
    "value",
    [
        '"""\n[not.a.table]\nkey = 1\n"""',
        "'''\nkey = 1\n'''",
        '"""a quote at the end\n"""""',
        '"""\\\n   \\""" still\n"""',
        '[\n  "a]",  # ] not the end\n\n  \'b"\',\n]',
        '{ inner = "}\\"", other = [1, 2] }',
        '"# no comment \\""',
        "1979-05-27 07:32:00",
        '""',
        "''",
    ],
)
def test_no_value_hides_the_key_behind_it(value: str) -> None:
    text = f"first = {value} # comment = 1\nlast = 1\n"
    assert "last" in tomllib.loads(text)
    assert scan_lines(text)[("last",)] == text.count("\n")


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("a.b . c=1", ("a", "b", "c")),
        ('"a.b" = 1', ("a.b",)),
        ("'a\\b' = 1", ("a\\b",)),
        ('"\\u00e9\\"" = 1', ('é"',)),
        ('"=" = 1', ("=",)),
        ("\ta = 1", ("a",)),
        ("[ a . 'b' ]", ("a", "b")),
        ("[[a.b]]", ("a", "b")),
        ('["a]"]', ("a]",)),
    ],
)
def test_every_spelling_of_a_key_is_the_path_that_tomllib_reads(line: str, path: KeyPath) -> None:
    text = f"\r\n{line}\r\n"
    found: Any = tomllib.loads(text)
    for part in path:
        found = (found[0] if isinstance(found, list) else found)[part]
    assert scan_lines(text)[path] == 2


def test_a_key_without_a_line_end_behind_it_is_found() -> None:
    assert scan_lines("a = 1 # x") == {("a",): 1}
    assert scan_lines("") == {}


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
texts = st.text(st.characters(codec="utf-8"), max_size=12).map(quote)
values = st.one_of(
    texts,
    st.integers(-5, 5).map(str),
    st.sampled_from(["true", "[]", '[\n"x", # ]\n1]', '"""\nx = 1\n"""', "'''\n[t]\n'''", "{ a = 1 }"]),
)
noise = st.sampled_from(["", "# x = 1\n", "\n", "  \n"])


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[KeyPath, int]]:
    """Write a document, and note where each key comes to stand."""
    text = ""
    lines: dict[KeyPath, int] = {}
    for table in draw(st.lists(names, unique=True, max_size=4)):
        text += draw(noise)
        lines[(table,)] = text.count("\n") + 1
        text += f"[{quote(table)}]\n"
        for name in draw(st.lists(names, unique=True, max_size=4)):
            text += draw(noise)
            lines[(table, name)] = text.count("\n") + 1
            text += f"{quote(name)} = {draw(values)}\n"
    return text, lines


def paths(tables: Mapping[str, Mapping[str, object]]) -> Iterator[KeyPath]:
    for name, table in tables.items():
        yield (name,)
        for key in table:
            yield (name, key)


@given(documents())
def test_all_keys_of_any_document_have_their_lines(document: tuple[str, dict[KeyPath, int]]) -> None:
    text, lines = document
    assert set(paths(tomllib.loads(text))) == set(lines)
    assert scan_lines(text) == lines
