"""`python -m segue.bench.comparison`: run a campaign, or write the report of one again."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from segue.bench.comparison.campaign import LONG_SCENARIOS, Extent, run_campaign
from segue.bench.comparison.records import append_record, read_records
from segue.bench.comparison.report import ReportError, insert, render
from segue.bench.comparison.scenarios import ROUND_SCENARIOS, SHALLOW_DRAIN
from segue.bench.peers import PEERS
from segue.bench.peers.peer import PeerError

__all__ = ["main"]

_QUICK = {"rounds": 1, "seconds": 2.0, "depth": 500_000, "deep_seconds": 60.0, "queues": 500, "connections": 200}
_SCENARIOS = (*(scenario.name for scenario in ROUND_SCENARIOS), SHALLOW_DRAIN, *LONG_SCENARIOS)


def main() -> int:
    """Run what the command line says; return the exit code."""
    args = _parser().parse_args()
    # As from the keyboard: brokers that were started are stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    records = args.records or args.directory / "results" / f"{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    try:
        if not args.only_report:
            _run(args, records)
        if args.report is not None:
            report = render(read_records(records))
            args.report.write_text(insert(args.report.read_text(encoding="utf-8"), report), encoding="utf-8")
    except (PeerError, ReportError, OSError) as error:
        print(f"comparison: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"records: {records}" + (f"; report: {args.report}" if args.report else ""), file=sys.stderr)
    return 0


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
    add("--peers", type=_names(tuple(PEERS)), default=list(PEERS), metavar="NAMES", help=f"of {', '.join(PEERS)}")
    add("--scenarios", type=_names(_SCENARIOS), default=[], metavar="NAMES", help=f"of {', '.join(_SCENARIOS)}")
    add("--rounds", type=int, help="repetitions of the short figures (3)")
    add("--depth", type=int, help="messages on the deep queue (5000000)")
    add("--deep-seconds", type=float, help="limit for filling the deep queue, and for draining it (600)")
    add("--quick", action="store_true", help="a look in some minutes, not a result")
    add("--directory", type=Path, default=Path("build/bench"), help="for brokers' files and records (%(default)s)")
    add("--records", type=Path, metavar="FILE", help="JSON lines; a new file below --directory without it")
    add("--report", type=Path, metavar="PAGE", help="a Markdown page with the two markers, to write the report into")
    add("--only-report", action="store_true", help="measure nothing, write the report of --records")
    return parser


def _names(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    """A type for argparse: names with commas between them."""

    def names(text: str) -> list[str]:
        given = text.split(",")
        unknown = [name for name in given if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(known)}")
        return given

    return names


if __name__ == "__main__":
    sys.exit(main())
