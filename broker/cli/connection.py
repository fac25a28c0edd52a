"""`segue connection`: who is connected, and closing connections."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from segue.broker.cli.arguments import CONTROL_EXIT_CODES, add_action, whole
from segue.broker.cli.control_client import add_control_arguments, connect
from segue.broker.cli.failure import CommandFailure
from segue.broker.cli.text import age, count, table
from segue.broker.exit_codes import ExitCode

__all__ = ["add_arguments"]

_COLUMNS = (
    "connection", "user", "peer", "protocol", "open for", "subscriptions", "in flight", "transactions", "dropped",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "every connection that has logged in"
    add_control_arguments(add_action(actions, "list", text, _list, CONTROL_EXIT_CODES))
    text = "close a connection; what it held goes back to its queues"
    closing = add_action(actions, "close", text, _close, CONTROL_EXIT_CODES)
    closing.add_argument(
        "connection", metavar="CONNECTION", type=whole(1), help="its number in `segue connection list`"
    )
    closing.add_argument("--reason", metavar="TEXT", default="closed by an operator", help="what its client is told")
    add_control_arguments(closing)


def _list(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        rows = client.list("connection.list")
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        now_ms = time.time() * 1000
        print(table(_COLUMNS, (_row(row, now_ms) for row in rows), right=(0, 5, 6, 7, 8)))
    return ExitCode.OK


def _close(arguments: argparse.Namespace) -> int:
    try:
        with connect(arguments) as client:
            done = client.ask("connection.close", {"connection": arguments.connection, "reason": arguments.reason})
    except CommandFailure as failure:
        if failure.code == "not-found":
            failure.next_step = "`segue connection list` shows who is there"
        raise
    print(json.dumps(done, indent=2) if arguments.json else f"connection {done['closed']} closed")
    return ExitCode.OK


def _row(row: dict[str, Any], now_ms: float) -> list[str]:
    return [
        str(row["id"]),
        row["user"],
        row["peer"],
        row["protocol"],
        age(max(0.0, (now_ms - row["opened_ms"]) / 1000)),
        count(row["subscriptions"]),
        count(row["in_flight"]),
        count(row["transactions"]),
        count(row["dropped"]),
    ]
