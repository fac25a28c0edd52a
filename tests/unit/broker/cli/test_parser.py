"""A command line that means nothing: said in one line, with the way to the help, and in JSON when that is wanted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from segue.broker.cli import main
from segue.broker.exit_codes import ExitCode
from tests.tidy.tree import ROOT


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


@pytest.mark.parametrize(
    ("words", "problem", "command"),
    [
        ((), "the following arguments are required: COMMAND", "segue"),
        (("nonsense",), "invalid choice: 'nonsense' (choose from 'serve', 'status'", "segue"),
        (("queue",), "segue queue: the following arguments are required: ACTION", "segue queue"),
        (("queue", "lst"), "invalid choice: 'lst' (choose from 'list'", "segue queue"),
        (("queue", "show"), "the following arguments are required: QUEUE", "segue queue show"),
        (("queue", "show", "a", "b"), "segue queue show: 'b' is one word too many", "segue queue show"),
        (("status", "--timout", "3"), "there is no flag --timout; did you mean --timeout?", "segue status"),
        (("status", "--qqq=3"), "there is no flag --qqq;", "segue status"),
        (("status", "--timeout", "x"), "'x' is not a number of seconds", "segue status"),
        (("queue", "browse", "q", "--limit", "0"), "'0' is not a whole number from 1", "segue queue browse"),
        (("connection", "close", "x"), "'x' is not a whole number from 1", "segue connection close"),
        (("queue", "publish", "q", "--header", "x"), "'x' is not NAME:VALUE", "segue queue publish"),
        (("storage", "salvage", "a"), "the following arguments are required: TARGET", "segue storage salvage"),
        (("bench", "publish", "--producers", "x"), "'x' is not a whole number", "segue bench publish"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_said_with_the_command_whose_help_explains_it(
    words: tuple[str, ...], problem: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = said(capsys, *words)
    assert line.startswith("segue: ")
    assert problem in line
    assert line.endswith(f"; `{command} --help` says what can be given\n")
    assert line.count("\n") == 1


def test_a_wrong_command_line_is_an_error_in_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("queue", "show", "--json")) == ExitCode.USAGE
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "usage"
    assert "QUEUE" in error["message"]


@pytest.mark.parametrize("words", [(), ("bench",), ("queue", "browse")], ids=" ".join)
def test_help_is_no_error(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main((*words, "--help"))
    assert caught.value.code == 0
    assert "usage: " + " ".join(("segue", *words)) in capsys.readouterr().out


def test_every_code_of_an_error_is_documented() -> None:
    sources = (path.read_text(encoding="utf-8") for path in Path(ROOT / "broker/cli").glob("*.py"))
    codes = {code for text in sources for code in re.findall(r'ExitCode\.\w+, "([a-z-]+)"', text)}
    assert {"usage", "settings", "unreachable"} <= codes
    pages = [(ROOT / "docs/reference" / name).read_text(encoding="utf-8") for name in ("cli.md", "control-socket.md")]
    assert {code for code in codes if not any(f"`{code}`" in page for page in pages)} == set()
