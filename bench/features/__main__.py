"""`python -m segue.bench.features`: run a campaign, or write the report of one again."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

from segue.bench.comparison.command import add_arguments, chosen, names_of, run_command
from segue.bench.comparison.records import Records, append_record
from segue.bench.features.campaign import run_campaign
from segue.bench.features.cases import CASES, PLAIN
from segue.bench.features.lap import Extent
from segue.bench.features.report import BEGIN, END, as_json, render
from segue.bench.peers.segue import Segue

__all__ = ["main"]

_QUICK: dict[str, Any] = {"rounds": 1, "depth": 50_000, "messages": 20_000, "pieces": 1, "seconds": 1.0}
_NAMES = tuple(case.name for case in CASES)
_WARM_UP_SECONDS = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line says; return the exit code."""
    args = _parser().parse_args(arguments)
    return run_command("features", args, partial(_run, args), partial(_report, args), begin_line=BEGIN, end_line=END)


def _report(args: argparse.Namespace, measured: Records) -> str:
    """Print the figures; returns them as the page has them."""
    tables = render(measured)
    print(json.dumps(as_json(measured)) if args.json else tables)
    return tables


def _run(args: argparse.Namespace, records: Path) -> None:
    cases = frozenset([PLAIN, *args.cases]) if args.cases else None
    directory = args.directory / "features"
    broker = Segue(directory)
    broker.port = _free_port()
    broker.warm_up_seconds = _WARM_UP_SECONDS
    extent = Extent(**chosen(args, _QUICK), cases=cases)
    run_campaign(broker, extent, directory, lambda record: append_record(records, record))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m segue.bench.features", description=__doc__)
    add = parser.add_argument
    add("--cases", type=names_of(_NAMES), default=[], metavar="NAMES", help=f"of {', '.join(_NAMES)}; plain always is")
    add("--rounds", type=int, help="of all cases (1)")
    add("--depth", type=int, help="messages that wait (1000000)")
    add("--quick", action="store_true", help="a look in two minutes, not a result: less depth")
    add("--json", action="store_true", help="the figures as one JSON object instead of tables")
    add_arguments(parser)
    return parser


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
