"""The command `segue`: one module a group of commands, imported only when it is used.

What a control command costs is mostly imports: everything else here starts a process, asks one thing and ends. So this
file imports nothing but the parser, and of the modules in `COMMANDS` only the one that was asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple

from segue import broker
from segue.broker.cli.failure import CommandFailure, report
from segue.broker.cli.parser import CommandParser
from segue.broker.exit_codes import ExitCode

__all__ = ["COMMANDS", "Command", "build_parser", "main"]


class Command(NamedTuple):
    """A word behind `segue`.

    `module` has `add_arguments(parser)`, and `run(arguments)` unless its parsers set a `run` of their own.
    """

    name: str
    help: str
    module: str


COMMANDS: Final = (
    Command("serve", "run the broker", "segue.broker.cli.serve"),
    Command("status", "how the running broker is", "segue.broker.cli.status"),
    Command("queue", "look at queues, and work on them", "segue.broker.cli.queue"),
    Command("job", "look at jobs that move messages between queues, and end them", "segue.broker.cli.job"),
    Command("schedule", "messages that wait for their time, and cancelling them", "segue.broker.cli.schedule"),
    Command("topic", "look at subscriptions to topics", "segue.broker.cli.topic"),
    Command("policy", "options for many queues at once, while the broker runs", "segue.broker.cli.policy"),
    Command("connection", "who is connected, and closing connections", "segue.broker.cli.connection"),
    Command("storage", "look into a data directory, and bring a damaged one to safety", "segue.broker.cli.storage"),
    Command("config", "check the settings, and show those in force", "segue.broker.cli.config"),
    Command("user", "hash a password for the configuration", "segue.broker.cli.user"),
    Command("bench", "measure any STOMP broker", "segue.broker.cli.bench"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    # A name in an error may have any character; the terminal may not.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        arguments = build_parser(next((word for word in words if not word.startswith("-")), "")).read(words)
        code = int(arguments.run(arguments))
        sys.stdout.flush()
    except CommandFailure as failure:
        report(failure, as_json="--json" in words)
        return failure.exit_code
    except BrokenPipeError:
        # `segue queue list | head`: whoever reads has had enough. Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return code


def build_parser(wanted: str | None) -> CommandParser:
    """The parser of all commands, with the arguments of the one that is `wanted`; None: of all."""
    parser = CommandParser(prog="segue", description="A durable message broker whose queues have no bottom.")
    parser.add_argument("--version", action="version", version=f"segue {broker.__version__}")
    names = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        own = names.add_parser(command.name, help=command.help)
        if wanted is None or wanted == command.name:
            module = import_module(command.module)
            text = (module.__doc__ or "").partition("\n")[0].partition(": ")[2]
            own.description = text[:1].upper() + text[1:]
            module.add_arguments(own)
            if hasattr(module, "run"):
                own.set_defaults(run=module.run)
    return parser
