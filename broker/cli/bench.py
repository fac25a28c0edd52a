"""`segue bench`: measure any STOMP broker."""

from __future__ import annotations

import argparse

from segue.bench import cli

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the scenarios."""
    cli.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run one."""
    return cli.run(arguments)
