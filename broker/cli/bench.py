"""`segue bench`: measure any STOMP broker."""

from __future__ import annotations

import argparse

from segue.bench import cli
from segue.bench.workload import WorkloadError
from segue.broker.cli.failure import CommandFailure
from segue.broker.exit_codes import ExitCode

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the scenarios."""
    cli.add_arguments(parser)
    parser.set_defaults(exit_codes=(ExitCode.OK, ExitCode.REFUSED, ExitCode.USAGE, ExitCode.INTERRUPTED))


def run(arguments: argparse.Namespace) -> int:
    """Run one."""
    try:
        return cli.run(arguments)
    except WorkloadError as error:
        step = f"`segue bench {arguments.scenario} --help` explains the flags"
        raise CommandFailure(ExitCode.USAGE, "usage", str(error), step) from error
