"""A line of the log is one line, shows what it says, and holds no secret."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.exit_codes import ExitCode
from segue.broker.log_text import LINE_BYTES_MAX, format_json, format_line

# 2026-01-31 12:00:00.5 UTC
NOON = 1769860800.5


class Reason(Enum):
    WRITE_STALL = 1


def line(**fields: object) -> str:
    return format_line(NOON, "info", "a.b", fields).removeprefix("2026-01-31T12:00:00.500Z info a.b ")


def test_a_line_is_time_level_event_and_fields() -> None:
    fields = {"peer": "127.0.0.1:40312", "reason": "write stall", "messages": 3}
    assert format_line(NOON, "warning", "connection.closed", fields) == (
        '2026-01-31T12:00:00.500Z warning connection.closed peer=127.0.0.1:40312 reason="write stall" messages=3'
    )


def test_a_line_without_fields_is_time_level_and_event() -> None:
    assert format_line(NOON, "info", "daemon.ready", {}) == "2026-01-31T12:00:00.500Z info daemon.ready"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("/queue/a.b", "/queue/a.b"),
        ("größe", "größe"),
        ("two words", '"two words"'),
        ("", '""'),
        ("-", '"-"'),
        ("a=b", '"a=b"'),
        ('say "x"', '"say \\"x\\""'),
        ("a\\b", '"a\\\\b"'),
        ("a\r\nb\t", '"a\\r\\nb\\t"'),
        ("\x1b[31mred", '"\\u{1b}[31mred"'),
        ("abc\u202etxt", '"abc\\u{202e}txt"'),
        ("\u2066x\u200bx\ufeff", '"\\u{2066}x\\u{200b}x\\u{feff}"'),
        ("a\u2028b\x85c\x00d\x7f", '"a\\u{2028}b\\u{85}c\\u{0}d\\u{7f}"'),
        ("\udcff", '"\\u{dcff}"'),
        (b"bytes \xff", '"bytes \\\\xff"'),
        (7, "7"),
        (0.25, "0.25"),
        (float("nan"), "nan"),
        (True, "true"),
        (False, "false"),
        (None, "-"),
        (Reason.WRITE_STALL, "write_stall"),
        (ExitCode.SETTINGS, "settings"),
        (Path("/var/lib"), "/var/lib"),
        (ValueError("no\nway"), '"ValueError: no\\nway"'),
        (["a", 1], "\"['a', 1]\""),
    ],
)
def test_a_value_is_shown_so_that_nothing_in_it_acts_on_the_reader(value: object, shown: str) -> None:
    assert line(key=value) == f"key={shown}"


@pytest.mark.parametrize("name", ["password", "passcode", "token", "secret", "authorization", "password_hash"])
def test_a_field_that_is_named_like_a_secret_is_hidden(name: str) -> None:
    assert line(**{name: "geheim"}) == f"{name}=(hidden)"
    assert "geheim" not in format_json(NOON, "info", "a.b", {name: "geheim"})


def test_a_field_cant_pose_as_the_head_of_its_line() -> None:
    assert line(time=1, level="x", event="y") == "time_=1 level_=x event_=y"
    shown = json.loads(format_json(NOON, "info", "a.b", {"level": "error"}))
    assert (shown["level"], shown["level_"]) == ("info", "error")


def test_a_long_value_is_cut_and_says_so() -> None:
    assert line(key="x" * 5000) == f"key={'x' * 512}..."
    assert line(key=b"x" * 5000) == f"key={'x' * 512}..."


def test_json_has_the_same_in_the_types_of_json() -> None:
    fields = {"n": 3, "f": 0.5, "yes": True, "none": None, "text": "a\nb", "bad": float("inf")}
    assert json.loads(format_json(NOON, "info", "a.b", fields)) == {
        "time": "2026-01-31T12:00:00.500Z",
        "level": "info",
        "event": "a.b",
        **fields,
        "bad": "inf",
    }


def test_json_that_would_be_too_long_is_cut_in_its_values_and_stays_json() -> None:
    fields = {f"field_{number}": "\U0001f600" * 500 for number in range(20)}
    shown = format_json(NOON, "info", "a.b", fields)
    assert len(shown) < LINE_BYTES_MAX
    assert set(fields) < set(json.loads(shown))


@given(
    st.dictionaries(
        st.from_regex("[a-z_]{1,9}", fullmatch=True), st.one_of(st.text(), st.binary(), st.floats()), max_size=9
    )
)
def test_whatever_the_fields_hold_a_line_is_one_printable_line(fields: dict[str, object]) -> None:
    assert format_line(NOON, "info", "a.b", fields).isprintable()
    as_json = format_json(NOON, "info", "a.b", fields)
    assert as_json.isprintable()
    assert as_json.isascii()
    assert len(json.loads(as_json)) >= len(fields)
