"""The command `segue`: one module a group of commands, imported only when it is used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from segue import broker
from segue.broker.cli import serve

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="segue", description="A durable message broker whose queues have no bottom.")
    parser.add_argument("--version", action="version", version=f"segue {broker.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    serve.add_arguments(commands.add_parser("serve", help="run the broker", description=serve.__doc__))
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return int(arguments.run(arguments))
