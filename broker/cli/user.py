"""`segue user`: hash a password for the configuration."""

from __future__ import annotations

import argparse
import json
import sys

from segue.broker.cli.arguments import add_action, add_json
from segue.broker.cli.failure import CommandFailure
from segue.broker.exit_codes import ExitCode

__all__ = ["add_arguments"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "hash a password, read from the terminal or from the first line of standard input"
    add_json(add_action(actions, "hash", text, _hash, (ExitCode.OK, ExitCode.USAGE, ExitCode.INTERRUPTED)))


def _hash(arguments: argparse.Namespace) -> int:
    from segue.broker.users import hash_password

    try:
        hashed = hash_password(_read_password())
    except ValueError as error:
        raise CommandFailure(ExitCode.USAGE, "bad-password", str(error), "nothing was written") from error
    if arguments.json:
        print(json.dumps({"password_hash": hashed}))
    else:
        print(hashed)
    if sys.stdout.isatty():
        print('put it into the configuration: [users.NAME] and below it password_hash = "…"', file=sys.stderr)
    return ExitCode.OK


def _read_password() -> bytes:
    """From the keyboard without an echo, twice; or from a pipe, up to the end of its first line."""
    if not sys.stdin.isatty():
        return sys.stdin.buffer.readline().removesuffix(b"\n").removesuffix(b"\r")
    import getpass

    try:
        first = getpass.getpass("Password: ")
        second = getpass.getpass("Once more: ")
    except EOFError:
        raise CommandFailure(ExitCode.USAGE, "bad-password", "no password was given", "try again") from None
    if second != first:
        raise CommandFailure(ExitCode.USAGE, "bad-password", "the two passwords differ", "try again")
    return first.encode()
