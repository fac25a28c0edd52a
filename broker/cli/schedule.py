"""`segue schedule`: messages that wait for their time."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from segue.broker.cli.arguments import whole
from segue.broker.cli.control_action import ControlAction, add_control_action
from segue.broker.cli.control_client import ControlClient
from segue.broker.cli.text import count, size, table, time_text

__all__ = ["add_arguments"]

_COLUMNS: Final = ("schedule id", "due (UTC)", "accepted (UTC)", "for", "bytes")

_NEXT_STEPS: Final = dict.fromkeys(("not-found", "bad-request"), "`segue schedule list` names those that wait")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = _add(actions, "list", "messages that wait for their time, what is due soon first", _list)
    listing.add_argument("--queue", metavar="QUEUE", help="only what is for this queue")
    text = "most messages that are shown (default: %(default)s)"
    listing.add_argument("--limit", metavar="N", type=whole(1), default=100, help=text)
    listing.add_argument("--all", action="store_true", help="show all, whatever --limit says")
    _add(actions, "cancel", "do not deliver a message that waits", _cancel, "ID")
    clear = _add(actions, "clear", "do not deliver any of the messages that wait", _clear)
    which = clear.add_mutually_exclusive_group(required=True)
    which.add_argument("--queue", metavar="QUEUE", help="those that are for this queue")
    which.add_argument("--all", action="store_true", help="all that there are")


def _add(actions: Any, name: str, text: str, action: ControlAction, *positional: str) -> argparse.ArgumentParser:
    return add_control_action(actions, name, text, action, *positional, next_steps=_NEXT_STEPS)


def _list(arguments: argparse.Namespace, client: ControlClient) -> None:
    wanted: dict[str, Any] = {} if arguments.all else {"limit": arguments.limit}
    if arguments.queue is not None:
        wanted["queue"] = arguments.queue
    rows = client.list("schedule.list", wanted)
    print(json.dumps(rows, indent=2) if arguments.json else table(_COLUMNS, map(_row, rows), right=(4,)))


def _cancel(arguments: argparse.Namespace, client: ControlClient) -> None:
    done = client.ask("schedule.cancel", {"schedule_id": arguments.id})
    print(json.dumps(done, indent=2) if arguments.json else "cancelled")


def _clear(arguments: argparse.Namespace, client: ControlClient) -> None:
    done = client.ask("schedule.clear", {} if arguments.queue is None else {"queue": arguments.queue})
    print(json.dumps(done, indent=2) if arguments.json else f"{count(done['cancelled'])} messages cancelled")


def _row(row: dict[str, Any]) -> list[str]:
    targets = ", ".join(f"{target['kind']} {target['name']}" for target in row["targets"])
    return [
        row["schedule_id"],
        time_text(row["due_ms"]),
        time_text(row["accepted_ms"]),
        targets,
        size(row["bytes"]),
    ]
