"""A sub-command that asks a running daemon: connect, do it, and say what to do where that fails."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from segue.broker.cli.arguments import CONTROL_EXIT_CODES, add_action
from segue.broker.cli.control_client import ControlClient, add_control_arguments, connect
from segue.broker.cli.failure import CommandFailure
from segue.broker.exit_codes import ExitCode

__all__ = ["ControlAction", "add_control_action"]

ControlAction = Callable[[argparse.Namespace, ControlClient], None]


def add_control_action(
    actions: Any, name: str, text: str, action: ControlAction, *positional: str, next_steps: Mapping[str, str]
) -> argparse.ArgumentParser:
    """Declare one of the sub-commands of a parser.

    Args:
        actions: the sub-commands.
        name: of this one.
        text: what it does, for the help.
        action: does it, with a daemon that answers.
        positional: names of its arguments.
        next_steps: what to do next, by the code of the daemon's error, where this command knows better.
    """

    def run(arguments: argparse.Namespace) -> int:
        try:
            with connect(arguments) as client:
                action(arguments, client)
        except CommandFailure as failure:
            failure.next_step = next_steps.get(failure.code, failure.next_step)
            raise
        return ExitCode.OK

    parser = add_action(actions, name, text, run, CONTROL_EXIT_CODES, *positional)
    add_control_arguments(parser)
    return parser
