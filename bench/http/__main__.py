"""`python -m segue.bench.http`: run a campaign, or write the report of one again."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from segue.bench.comparison.command import add_arguments, chosen, names_of, run_command
from segue.bench.comparison.records import Records, append_record
from segue.bench.http.campaign import run_campaign
from segue.bench.http.cases import CASES
from segue.bench.http.lap import Extent
from segue.bench.http.report import BEGIN, END, as_json, render

__all__ = ["main"]

_QUICK: dict[str, Any] = {"pieces": 1, "seconds": 0.3, "depth": 50_000, "rest_seconds": 0.0}
_NAMES = tuple(case.name for case in CASES)


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line says; return the exit code."""
    args = _parser().parse_args(arguments)
    return run_command("http", args, partial(_run, args), partial(_report, args), begin_line=BEGIN, end_line=END)


def _report(args: argparse.Namespace, measured: Records) -> str:
    """Print the figures; returns them as the page has them."""
    tables = render(measured)
    print(json.dumps(as_json(measured)) if args.json else tables)
    return tables


def _run(args: argparse.Namespace, records: Path) -> None:
    cases = frozenset(args.cases) if args.cases else None
    extent = Extent(**chosen(args, _QUICK), cases=cases)
    run_campaign(extent, args.directory / "http", lambda record: append_record(records, record))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m segue.bench.http", description=__doc__)
    add = parser.add_argument
    add("--cases", type=names_of(_NAMES), default=[], metavar="NAMES", help=f"of {', '.join(_NAMES)}")
    add("--rounds", type=int, help="of all cases (1)")
    add("--depth", type=int, help="messages that wait when it is deep (1000000)")
    add("--quick", action="store_true", help="a look in two minutes, not a result: less depth")
    add("--json", action="store_true", help="the figures as one JSON object instead of tables")
    add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
