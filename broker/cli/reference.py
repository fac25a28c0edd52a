"""Writes docs/reference/cli.md: every command with its flags and exit codes, from the parsers.

    python -m segue.broker.cli.reference        in the root of a checkout

The page is committed; a test fails when it differs from what is written here.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from segue.broker.cli import build_parser
from segue.broker.exit_codes import ExitCode

__all__ = ["PAGE", "commands", "reference_page"]

PAGE: Final = "docs/reference/cli.md"

_WIDTH = 119
_HEAD = """\
# Commands

<!-- Written by `python -m segue.broker.cli.reference`. Change broker/cli/, not this page. -->

`segue COMMAND --help` says the same in the terminal. What is said here holds for all of them:

- Tables and sentences go to standard output, or JSON with `--json`; errors and progress bars go to standard error, the
  bars only if that is a terminal.
- An error says what it is about, the cause and the next step. With `--json` it is also an object on standard output:
  `{"error": {"code": ..., "message": ..., "next_step": ...}}`. The codes are those of [the control
  socket](control-socket.md), and `usage`, `settings`, `unreachable`, `bad-password`, `unknown-file`,
  `directory-unusable`, `damaged-store`, `newer-format`, `job-failed`.
- Ages, sizes and rates in tables are rounded; JSON has bytes, seconds and milliseconds since 1970.
- The commands that ask a daemon (`status`, `queue`, `job`, `topic`, `connection`) find its socket by way of its
  settings: `--config`, the environment, `--data`, as [`segue serve`](settings.md) does. They have to run under the
  daemon's account, or as root.
- Every exit code has one meaning for all commands: see [exit codes](exit-codes.md).
"""


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that can be run, by its words: ("segue queue list", its parser)."""
    yield from _leaves("segue", build_parser(None), ())


def reference_page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(line for name, parser in commands() for line in _section(name, parser))])


def _leaves(
    name: str, parser: argparse.ArgumentParser, inherited: Iterable[ExitCode]
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    codes = parser.get_default("exit_codes") or inherited
    choices = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not choices:
        parser.set_defaults(exit_codes=codes)
        yield name, parser
    for word, inner in choices[0].items() if choices else ():
        yield from _leaves(f"{name} {word}", inner, codes)


def _section(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    flags = [action for action in parser._actions if action.dest != "help"]
    flags.sort(key=lambda action: bool(action.option_strings))  # what has to be given comes first
    words = [str(action.metavar) for action in flags if not action.option_strings]
    optional = [str(action.metavar) for action in flags if not action.option_strings and action.nargs == "?"]
    usage = " ".join([name, *(f"[{word}]" if word in optional else word for word in words)])
    yield f"## `{usage}`\n"
    yield _wrap(_sentence(parser.description or "")) + "\n"
    if flags:
        yield "| | |\n|---|---|"
        yield from (f"| {_flag(action)} | {_cell(parser, action)} |" for action in flags)
        yield ""
    if parser.epilog:
        yield _wrap(parser.epilog) + "\n"
    codes = sorted(set(parser.get_default("exit_codes")))
    yield _wrap("Exit codes: " + ", ".join(f"{int(code)} `{code.name}`" for code in codes) + ".") + "\n"


def _flag(action: argparse.Action) -> str:
    names = ", ".join(action.option_strings) or str(action.metavar)
    if action.choices is not None:
        return f"`{names} {{{','.join(map(str, action.choices))}}}`".replace("|", "\\|")
    takes_value = action.option_strings and action.nargs != 0
    return f"`{names} {action.metavar}`" if takes_value else f"`{names}`"


def _cell(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    # The way that argparse itself fills in "%(default)s".
    return parser._get_formatter()._expand_help(action)


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith(".") else f"{text}."


def _wrap(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False, break_long_words=False)


if __name__ == "__main__":
    Path(PAGE).write_text(reference_page(), encoding="utf-8")
