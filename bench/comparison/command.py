"""The command of a campaign: flags that all of them have, and what is done with the records of one."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segue.bench.comparison.records import Records, read_records
from segue.bench.comparison.report import ReportError, insert
from segue.bench.peers.peer import PeerError

__all__ = ["add_arguments", "chosen", "names_of", "run_command"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where things are, and what is reported."""
    add = parser.add_argument
    add("--directory", type=Path, default=Path("build/bench"), help="for brokers' files and records (%(default)s)")
    add("--records", type=Path, metavar="FILE", help="JSON lines; a new file below --directory without it")
    add("--report", type=Path, metavar="PAGE", help="a Markdown page with the two markers, to write the tables into")
    add("--only-report", action="store_true", help="measure nothing, report what --records holds")


def chosen(args: argparse.Namespace, quick: dict[str, Any]) -> dict[str, Any]:
    """The extent of a campaign over depth, as far as the flags say it: --quick, --rounds, --depth."""
    given = {name: value for name in ("rounds", "depth") if (value := getattr(args, name)) is not None}
    return (quick if args.quick else {}) | given


def names_of(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    """A type for argparse: names with commas between them."""

    def names(text: str) -> list[str]:
        given = text.split(",")
        unknown = [name for name in given if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(known)}")
        return given

    return names


def run_command(
    name: str,
    args: argparse.Namespace,
    measure: Callable[[Path], None],
    render: Callable[[Records], str],
    **markers: str,
) -> int:
    """Measure and report, as the flags say; return the exit code.

    Args:
        name: of the campaign: errors begin with it, and so do the files of its records.
        args: what `add_arguments` has declared.
        measure: runs the campaign, and appends its records to a file.
        render: what is to be put into the page.
        markers: of the page, as `insert` wants them.
    """
    # As from the keyboard: brokers that were started are stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    records = args.records or args.directory / "results" / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    try:
        if not args.only_report:
            measure(records)
        report = render(read_records(records))
        if args.report is not None:
            page = args.report.read_text(encoding="utf-8")
            args.report.write_text(insert(page, report, **markers), encoding="utf-8")
    except (PeerError, ReportError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"records: {records}" + (f"; report: {args.report}" if args.report else ""), file=sys.stderr)
    return 0
