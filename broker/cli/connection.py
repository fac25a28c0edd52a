"""`segue connection`: who is connected, and closing connections."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any, Final

from segue.broker.cli.arguments import whole
from segue.broker.cli.control_action import add_control_action
from segue.broker.cli.control_client import ControlClient
from segue.broker.cli.text import age, count, table

__all__ = ["add_arguments"]

_COLUMNS = (
    "connection", "user", "peer", "protocol", "open for", "subscriptions", "in flight", "transactions", "dropped",
)  # fmt: skip
_NEXT_STEPS: Final = {"not-found": "`segue connection list` shows who is there"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_control_action(actions, "list", "every connection that has logged in", _list, next_steps={})
    text = "close a connection; what it held goes back to its queues"
    closing = add_control_action(actions, "close", text, _close, next_steps=_NEXT_STEPS)
    closing.add_argument(
        "connection", metavar="CONNECTION", type=whole(1), help="its number in `segue connection list`"
    )
    closing.add_argument("--reason", metavar="TEXT", default="closed by an operator", help="what its client is told")


def _list(arguments: argparse.Namespace, client: ControlClient) -> None:
    rows = client.list("connection.list")
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        now_ms = time.time() * 1000
        print(table(_COLUMNS, (_row(row, now_ms) for row in rows), right=(0, 5, 6, 7, 8)))


def _close(arguments: argparse.Namespace, client: ControlClient) -> None:
    done = client.ask("connection.close", {"connection": arguments.connection, "reason": arguments.reason})
    print(json.dumps(done, indent=2) if arguments.json else f"connection {done['closed']} closed")


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
