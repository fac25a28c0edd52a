"""`segue config`: check the settings, and show those in force."""

from __future__ import annotations

import argparse
import json
import sys

from segue.broker.cli.arguments import COMMON_EXIT_CODES, add_action, add_json, add_listen, add_place, read_settings
from segue.broker.cli.failure import CommandFailure
from segue.broker.cli.text import count
from segue.broker.exit_codes import ExitCode

__all__ = ["add_arguments"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "say every fault of the settings at once, each with its place"
    check = add_action(actions, "check", text, _check, COMMON_EXIT_CODES)
    text = "every setting in force, with where it comes from"
    show = add_action(actions, "show", text, _show, COMMON_EXIT_CODES)
    show.add_argument("--no-origin", action="store_true", help="leave out where the values come from")
    for action in (check, show):
        add_place(action)
        add_listen(action)
        add_json(action)


def _check(arguments: argparse.Namespace) -> int:
    from segue.broker.settings import SettingsError

    try:
        settings = read_settings(arguments)
    except CommandFailure as failure:
        cause = failure.__cause__
        faults = cause.faults if isinstance(cause, SettingsError) else ()
        if arguments.json:
            shown = [{"place": f.place, "key": f.key, "problem": f.problem, "remedy": f.remedy} for f in faults]
            print(json.dumps({"faults": shown}, indent=2))
        else:
            print(failure, file=sys.stderr)
        return failure.exit_code
    given = len(settings.origins)
    if arguments.json:
        print(json.dumps({"faults": []}, indent=2))
    else:
        print(f"no fault: {count(given)} settings are given, the others have their defaults")
    return ExitCode.OK


def _show(arguments: argparse.Namespace) -> int:
    from segue.broker.settings import render_json, render_toml

    settings = read_settings(arguments)
    render = render_json if arguments.json else render_toml
    print(render(settings, not arguments.no_origin))
    return ExitCode.OK
