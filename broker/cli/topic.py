"""`segue topic`: look at subscriptions to topics."""

from __future__ import annotations

import argparse
import json
from typing import Any

from segue.broker.cli.control_action import add_control_action
from segue.broker.cli.control_client import ControlClient
from segue.broker.cli.text import count, table

__all__ = ["add_arguments"]

_COLUMNS = ("pattern", "subscribers", "dropped", "durable subscriptions")
_DURABLE_COLUMNS = ("durable subscription", "pattern", "ready", "in flight", "returned", "consumers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "every pattern that somebody subscribes to, and the durable subscriptions"
    add_control_action(actions, "list", text, _list, next_steps={})


def _list(arguments: argparse.Namespace, client: ControlClient) -> None:
    patterns: list[dict[str, Any]] = []
    done = client.ask("topic.list", on_items=patterns.extend)
    durable = done["durable_subscriptions"]
    if arguments.json:
        print(json.dumps({"patterns": patterns, "durable_subscriptions": durable}, indent=2))
        return
    counts = ("subscribers", "dropped", "durable_subscriptions")
    rows = [[str(p["pattern"]), *(count(p[name]) for name in counts)] for p in patterns]
    print(table(_COLUMNS, rows, right=(1, 2, 3)))
    if durable:
        names = ("ready", "in_flight", "returned", "consumers")
        rows = [[d["name"], d["pattern"], *(count(d[name]) for name in names)] for d in durable]
        print("\n" + table(_DURABLE_COLUMNS, rows, right=range(2, len(_DURABLE_COLUMNS))))
