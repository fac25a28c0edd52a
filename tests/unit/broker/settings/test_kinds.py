"""Each kind of value takes what it says, from TOML and from text, and refuses everything else in a sentence."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.settings.address import ListenAddress
from segue.broker.settings.kinds import (
    Addresses,
    Choice,
    Count,
    Flag,
    Hash,
    Kind,
    Names,
    Origins,
    PathName,
    PathNames,
    Seconds,
    Size,
    quote,
)

KINDS: list[Kind[Any]] = [
    Count("things"), Size(), Seconds(), Choice("one", "two"), Flag(), PathName(), PathNames(), Addresses(), Hash(),
    Names(), Origins(),
]  # fmt: skip
LOCAL = ListenAddress("127.0.0.1", 1)

toml_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=30),
        st.builds(lambda: 10**5000),
        st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (Count("things"), 5, 5),
        (Flag(), True, True),
        (Flag(), False, False),
        (Size(), 4096, 4096),
        (Size(), "4 KiB", 4096),
        (Seconds(), 30, 30.0),
        (Seconds(), 0.25, 0.25),
        (Seconds(), "2 min", 120.0),
        (Choice("one", "two"), "two", "two"),
        (PathName(), "/var/lib/segue", Path("/var/lib/segue")),
        (PathName(), Path("data"), Path("data")),
        (PathName(), "größe/データ", Path("größe/データ")),
        (PathNames(), [], ()),
        (PathNames(), ["/a", "b"], (Path("/a"), Path("b"))),
        (Addresses(), [], ()),
        (Addresses(), ["127.0.0.1:1"], (LOCAL,)),
        (Addresses(), ["127.0.0.1:0", "127.0.0.1:0"], (ListenAddress("127.0.0.1", 0),) * 2),
        (Names(), ["*", "queues.example.org"], ("*", "queues.example.org")),
        (Origins(), ["*", "null"], ("*", "null")),
        (Origins(), ["https://a.example", "http://[::1]:80"], ("https://a.example", "http://[::1]:80")),
    ],
)
def test_a_kind_reads_the_values_it_is_for(kind: Kind[Any], raw: object, value: object) -> None:
    assert kind.read(raw) == value


@pytest.mark.parametrize(
    ("kind", "raw", "fault"),
    [
        (Count("things"), True, "is true, not a whole number"),
        (Count("things"), 1.0, "is 1.0, not a whole number"),
        (Count("things"), "1", 'is "1", not a whole number'),
        (Count("things"), 2**400, "is an integer of more than 256 bits, not a whole number"),
        (Size(), False, "is false, not a number of bytes"),
        (Size(), "1 MB", 'is "1 MB", of a unit that is none of B, KiB, MiB, GiB, TiB'),
        (Size(), [], "is a list, not a number of bytes"),
        (Seconds(), float("inf"), "is inf, not a number of seconds"),
        (Seconds(), float("nan"), "is nan, not a number of seconds"),
        (Seconds(), {}, "is a table, not a number of seconds"),
        (Choice("one", "two"), "Two", 'is "Two", not one of one, two'),
        (Choice("one", "two"), 1, "is 1, not one of one, two"),
        (PathName(), "", 'is "": empty, too long, or with characters that can\'t be shown'),
        (PathName(), "a\0b", 'is "a\\u0000b": empty, too long, or with characters that can\'t be shown'),
        (PathName(), 7, "is 7, not a path"),
        (Addresses(), "127.0.0.1:1", 'is "127.0.0.1:1", not a list of addresses'),
        (Addresses(), [1], "has 1, not an address, in its list"),
        (Addresses(), ["x"], 'is "x", not HOST:PORT or [IPV6]:PORT'),
        (Addresses(), ["127.0.0.1:1", "127.0.0.1:1"], "has 127.0.0.1:1 twice"),
        (Addresses(), ["127.0.0.1:0"] * 65, "has 65 addresses, more than 64"),
        (Hash(), 1, "is not a string"),
        (Names(), "a", 'is "a", not a list of names'),
        (Names(), ["a:80"], 'has "a:80", not the name of a host, in its list'),
        (Origins(), ["a.example"], 'has "a.example", not the origin of a page, in its list'),
        (Origins(), ["https://a.example/"], 'has "https://a.example/", not the origin of a page, in its list'),
        (Origins(), ["ftp://a.example"], 'has "ftp://a.example", not the origin of a page, in its list'),
    ],
)
def test_a_kind_says_what_is_wrong_with_any_other_value(kind: Kind[Any], raw: object, fault: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared below
        kind.read(raw)
    assert str(refused.value) == fault


def test_a_path_of_undecodable_octets_or_of_more_than_linux_takes_is_refused() -> None:
    for raw in ("a\udcff", "a" * 4096, "ä" * 2048):
        with pytest.raises(ValueError, match="empty, too long"):
            PathName().read(raw)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Count("things"), " 10_000 ", 10_000),
        (Count("things"), "-1", -1),
        (Size(), "1048576", 1048576),
        (Size(), "1 MiB", 1048576),
        (Seconds(), "0.5", 0.5),
        (Choice("one", "two"), "one", "one"),
        (Flag(), "true", True),
        (Flag(), "false", False),
        (Addresses(), "", ()),
        (Addresses(), "127.0.0.1:1, [::1]:1", (LOCAL, ListenAddress("::1", 1))),
        (Origins(), "https://a.example, https://b.example", ("https://a.example", "https://b.example")),
    ],
)
def test_text_from_the_environment_stands_for_a_value(kind: Kind[Any], text: str, value: object) -> None:
    assert kind.read_text(text) == value


@pytest.mark.parametrize("text", ["", "-", "--1", "1.5", "0x10", "\u0661", "1" * 19])
def test_text_that_is_no_number_is_no_count(text: str) -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        Count("things").read_text(text)


@given(st.sampled_from(KINDS), toml_values)
def test_whatever_toml_holds_is_a_value_or_a_value_error_on_one_printable_line(kind: Kind[Any], raw: object) -> None:
    try:
        outcome = repr(type(kind.read(raw)))
    except ValueError as fault:
        outcome = str(fault)
    assert outcome.isprintable()
    assert len(outcome) < 250


addresses = st.builds(ListenAddress, st.ip_addresses().map(str), st.integers(1, 65535))
paths = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.isprintable).map(Path)


@given(
    st.one_of(
        st.tuples(st.just(Size()), st.integers(0, 2**50)),
        st.tuples(st.just(Seconds()), st.floats(0, 1e9)),
        st.tuples(st.just(Count("things")), st.integers(0, 2**50)),
        st.tuples(st.just(PathName()), paths),
        st.tuples(st.just(Addresses()), st.lists(addresses, max_size=3, unique=True).map(tuple)),
    )
)
def test_what_a_kind_writes_as_toml_it_reads_again(case: tuple[Kind[Any], object]) -> None:
    kind, value = case
    assert kind.read(tomllib.loads(f"key = {kind.toml(value)}")["key"]) == value


@given(st.text(st.characters(codec="utf-8")))
def test_a_quoted_string_is_printable_and_reads_back(text: str) -> None:
    assert quote(text).isprintable()
    assert tomllib.loads(f"key = {quote(text)}") == {"key": text}
