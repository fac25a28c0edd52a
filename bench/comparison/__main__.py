"""`python -m segue.bench.comparison`: run a campaign, or write the report of one again."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from segue.bench.comparison.campaign import LONG_SCENARIOS, Extent, run_campaign
from segue.bench.comparison.command import add_arguments, names_of, run_command
from segue.bench.comparison.records import append_record
from segue.bench.comparison.report import render
from segue.bench.comparison.scenarios import ROUND_SCENARIOS, SHALLOW_DRAIN
from segue.bench.peers import PEERS

__all__ = ["main"]

_QUICK = {"rounds": 1, "seconds": 2.0, "depth": 500_000, "deep_seconds": 60.0, "queues": 500, "connections": 200}
_SCENARIOS = (*(scenario.name for scenario in ROUND_SCENARIOS), SHALLOW_DRAIN, *LONG_SCENARIOS)


def main() -> int:
    """Run what the command line says; return the exit code."""
    args = _parser().parse_args()
    return run_command("comparison", args, partial(_run, args), render)


def _run(args: argparse.Namespace, records: Path) -> None:
    chosen = _QUICK if args.quick else {}
    given = {name: value for name in ("rounds", "depth", "deep_seconds") if (value := getattr(args, name)) is not None}
    scenarios = frozenset(args.scenarios) if args.scenarios else None
    extent = Extent(**{**chosen, **given, "scenarios": scenarios})
    directory = args.directory / "brokers"
    peers = [PEERS[name](directory) for name in args.peers]
    run_campaign(peers, extent, directory, lambda record: append_record(records, record))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m segue.bench.comparison", description=__doc__)
    add = parser.add_argument
    add("--peers", type=names_of(tuple(PEERS)), default=list(PEERS), metavar="NAMES", help=f"of {', '.join(PEERS)}")
    add("--scenarios", type=names_of(_SCENARIOS), default=[], metavar="NAMES", help=f"of {', '.join(_SCENARIOS)}")
    add("--rounds", type=int, help="repetitions of the short figures (3)")
    add("--depth", type=int, help="messages on the deep queue (5000000)")
    add("--deep-seconds", type=float, help="limit for filling the deep queue, and for draining it (600)")
    add("--quick", action="store_true", help="a look in some minutes, not a result")
    add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
