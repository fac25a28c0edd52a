"""How a command says that it failed: the thing, the cause, the next step, and the exit code."""

from __future__ import annotations

import json
import sys

from segue.broker.cli.text import printable
from segue.broker.exit_codes import ExitCode

__all__ = ["CommandFailure", "report"]


class CommandFailure(Exception):
    """A command can't be carried out.

    Attributes:
        exit_code: what the process ends with.
        code: stable word for scripts (`--json`).
        next_step: what the operator may do now; empty when there is nothing to say.
    """

    def __init__(self, exit_code: ExitCode, code: str, problem: str, next_step: str = "") -> None:
        super().__init__(problem)
        self.exit_code = exit_code
        self.code = code
        self.next_step = next_step


def report(failure: CommandFailure, *, as_json: bool) -> None:
    """Say it on standard error; with `--json` also as an object on standard output."""
    if as_json:
        error = {"code": failure.code, "message": str(failure), "next_step": failure.next_step}
        print(json.dumps({"error": error}))
    text = f"{failure}; {failure.next_step}" if failure.next_step else str(failure)
    print("\n".join(f"segue: {printable(line)}" for line in text.splitlines()), file=sys.stderr)
