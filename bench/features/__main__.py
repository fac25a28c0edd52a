"""`python -m segue.bench.features`: run a campaign, or write the report of one again."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from segue.bench.comparison.records import append_record, read_records
from segue.bench.comparison.report import ReportError, insert
from segue.bench.features.campaign import run_campaign
from segue.bench.features.cases import CASES, PLAIN
from segue.bench.features.lap import Extent
from segue.bench.features.report import BEGIN, END, as_json, render
from segue.bench.peers.peer import PeerError
from segue.bench.peers.segue import Segue

__all__ = ["main"]

_QUICK: dict[str, Any] = {"rounds": 1, "depth": 50_000, "messages": 20_000, "pieces": 1, "seconds": 1.0}
_NAMES = tuple(case.name for case in CASES)
_WARM_UP_SECONDS = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line says; return the exit code."""
    args = _parser().parse_args(arguments)
    # As from the keyboard: a broker that was started is stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    records = args.records or args.directory / "results" / f"features-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    try:
        if not args.only_report:
            _run(args, records)
        measured = read_records(records)
        print(json.dumps(as_json(measured)) if args.json else render(measured))
        if args.report is not None:
            page = args.report.read_text(encoding="utf-8")
            args.report.write_text(insert(page, render(measured), BEGIN, END), encoding="utf-8")
    except (PeerError, ReportError, OSError) as error:
        print(f"features: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"records: {records}" + (f"; report: {args.report}" if args.report else ""), file=sys.stderr)
    return 0


def _run(args: argparse.Namespace, records: Path) -> None:
    chosen = _QUICK if args.quick else {}
    given = {name: value for name in ("rounds", "depth") if (value := getattr(args, name)) is not None}
    cases = frozenset([PLAIN, *args.cases]) if args.cases else None
    directory = args.directory / "features"
    broker = Segue(directory)
    broker.port = _free_port()
    broker.warm_up_seconds = _WARM_UP_SECONDS
    extent = Extent(**{**chosen, **given, "cases": cases})
    run_campaign(broker, extent, directory, lambda record: append_record(records, record))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m segue.bench.features", description=__doc__)
    add = parser.add_argument
    add("--cases", type=_names, default=[], metavar="NAMES", help=f"of {', '.join(_NAMES)}; plain always is")
    add("--rounds", type=int, help="of all cases (1)")
    add("--depth", type=int, help="messages that wait (1000000)")
    add("--quick", action="store_true", help="a look in two minutes, not a result: less depth")
    add("--json", action="store_true", help="the figures as one JSON object instead of tables")
    add("--directory", type=Path, default=Path("build/bench"), help="for the broker's files and records (%(default)s)")
    add("--records", type=Path, metavar="FILE", help="JSON lines; a new file below --directory without it")
    add("--report", type=Path, metavar="PAGE", help="a Markdown page with the two markers, to write the tables into")
    add("--only-report", action="store_true", help="measure nothing, report what --records holds")
    return parser


def _names(text: str) -> list[str]:
    """A type for argparse: names of cases with commas between them."""
    given = text.split(",")
    unknown = [name for name in given if name not in _NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(_NAMES)}")
    return given


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
