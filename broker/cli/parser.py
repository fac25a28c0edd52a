"""The parser of the command line: like argparse's, but what it has to complain of is a `CommandFailure` as any other.

argparse prints its usage, several lines of flags, ends the process, and knows nothing of `--json`.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import Any, NoReturn

from segue.broker.cli.failure import CommandFailure
from segue.broker.exit_codes import ExitCode

__all__ = ["CommandParser"]

_HELP_COLUMN = 32


class CommandParser(argparse.ArgumentParser):
    """The parser of one command; those of its sub-commands are of the same class."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_formatter)
        # What the innermost parser sets is what counts: it is the one that knows the command's flags.
        self.set_defaults(innermost=self)

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """What the words say.

        Raises:
            CommandFailure: they say nothing that there is. Its next step leads to the help of the right command.
        """
        arguments, unknown = self.parse_known_args(words)
        if unknown:
            arguments.innermost.refuse(unknown)
        del arguments.innermost
        return arguments

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Say that these words belong to no flag, and which flag may be meant."""
        word = unknown[0].partition("=")[0]
        if not word.startswith("-"):
            self.error(f"{unknown[0]!r} is one word too many")
        close = difflib.get_close_matches(word, self._option_string_actions, 1)
        self.error(f"there is no flag {word}" + (f"; did you mean {close[0]}?" if close else ""))

    def error(self, message: str) -> NoReturn:
        """Called by argparse for everything that is wrong."""
        step = f"`{self.prog} --help` says what can be given"
        raise CommandFailure(ExitCode.USAGE, "usage", f"{self.prog}: {message}".removeprefix("segue: "), step)


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, max_help_position=_HELP_COLUMN)
