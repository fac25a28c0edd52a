"""`segue queue`: look at queues, and work on them."""

from __future__ import annotations

import argparse
import json
from typing import Any

from segue.broker.cli.control_client import add_control_arguments, connect
from segue.broker.cli.text import age, count, rate, size, table
from segue.broker.exit_codes import ExitCode

__all__ = ["add_arguments"]

_COLUMNS = (
    "queue", "ready", "in flight", "returned", "settled", "bytes", "segments", "oldest", "publish/s", "deliver/s",
    "ack/s", "consumers",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every queue, with its counts")
    add_control_arguments(listing)
    listing.set_defaults(run=_list)


def _list(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        rows = client.list("queue.list")
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        print(table(_COLUMNS, map(_row, rows), right=range(1, len(_COLUMNS))))
    return ExitCode.OK


def _row(row: dict[str, Any]) -> list[str]:
    rates = row["rates"]
    return [
        row["name"],
        count(row["ready"]),
        count(row["in_flight"]),
        count(row["returned"]),
        count(row["settled"]),
        size(row["bytes"]),
        count(row["segments"]),
        age(row["oldest_age_seconds"]),
        rate(rates["publish"]),
        rate(rates["deliver"]),
        rate(rates["acknowledge"]),
        count(row["consumers"]),
    ]
