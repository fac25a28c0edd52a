"""`segue policy`: options for many queues at once, while the broker runs."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from segue.broker.cli.control_action import ControlAction, add_control_action
from segue.broker.cli.control_client import ControlClient
from segue.broker.cli.failure import CommandFailure
from segue.broker.cli.text import count, printable, table
from segue.broker.exit_codes import ExitCode

__all__ = ["add_arguments"]

_COLUMNS: Final = ("policy", "queues", "subscriptions", "priority", "options", "from")
_FLAGS: Final = {
    "queues": ("PATTERN", "which queues it is for; * stands for any run of characters"),
    "subscriptions": ("PATTERN", "which durable subscriptions it is for, likewise"),
    "priority": ("N", "of several that say something, the one with the highest is heard (0)"),
    "dead_letter": ("QUEUE", "the queue that takes what can't be consumed"),
    "delivery_limit": ("N", "after so many deliveries a message that comes back is a dead letter"),
    "message_ttl_ms": ("TIME", "how long a message may be in the queue: 5000, '7 d'"),
    "messages_max": ("N", "most messages that wait in the queue"),
    "bytes_max": ("SIZE", "most bytes of them: 1000000, '64 MiB'"),
    "overflow": ("WHAT", "what happens then: drop-oldest or refuse"),
    "redelivery_delay_ms": ("TIME", "how much later a message comes again that a consumer returns"),
    "redelivery_multiplier": ("N", "by this it grows with every delivery"),
    "redelivery_delay_max_ms": ("TIME", "but not beyond this"),
    "expires_ms": ("TIME", "how long the queue may go unused before it is deleted"),
    "priority_max": ("N", "highest priority of its messages, up to 255; 0: in the order in which they came"),
    "deduplication_window_ms": ("TIME", "how long deduplication ids are remembered"),
    "deduplication_ids_max": ("N", "most of them that are remembered"),
    "single_active": ("true|false", "one consumer at a time is served; the others stand by"),
}
_BESIDES: Final = frozenset({"policy", "from", "hidden", "queues", "subscriptions", "priority"})

_NEXT_STEPS: Final = dict.fromkeys(
    ("not-found", "in-use"), "`segue policy list` names those that there are, and where they come from"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add(actions, "list", "every policy: those of the settings, and those that were set", _list)
    text = "set a policy as a whole; the queues that are there follow it at once, and it survives a restart"
    to_set = _add(actions, "set", text, _set, "POLICY")
    for name, (metavar, help_text) in _FLAGS.items():
        to_set.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, dest=name, help=help_text)
    _add(actions, "delete", "delete a policy that was set; queues follow the others", _delete, "POLICY")


def _add(actions: Any, name: str, text: str, action: ControlAction, *positional: str) -> argparse.ArgumentParser:
    return add_control_action(actions, name, text, action, *positional, next_steps=_NEXT_STEPS)


def _list(arguments: argparse.Namespace, client: ControlClient) -> None:
    rows = client.list("policy.list")
    print(json.dumps(rows, indent=2) if arguments.json else table(_COLUMNS, map(_row, rows), right=(3,)))


def _set(arguments: argparse.Namespace, client: ControlClient) -> None:
    if arguments.queues is None and arguments.subscriptions is None:
        problem = "a policy is for queues, for durable subscriptions, or for both"
        raise CommandFailure(ExitCode.USAGE, "usage", problem, "give --queues, --subscriptions or both")
    keys = {name: getattr(arguments, name) for name in _FLAGS if getattr(arguments, name) is not None}
    keys.setdefault("queues", "")
    done = client.ask("policy.set", {"policy": arguments.policy, "keys": keys})
    _say(arguments, done, "is set")


def _delete(arguments: argparse.Namespace, client: ControlClient) -> None:
    _say(arguments, client.ask("policy.delete", {"policy": arguments.policy}), "is deleted")


def _say(arguments: argparse.Namespace, done: dict[str, Any], what: str) -> None:
    text = f"policy '{done['policy']}' {what}; queues and subscriptions changed: {count(done['changed'])}"
    print(json.dumps(done, indent=2) if arguments.json else printable(text))


def _row(row: dict[str, Any]) -> list[str]:
    options = ", ".join(f"{name}={value}" for name, value in row.items() if name not in _BESIDES)
    source = {"settings": "settings", "command": "segue policy set"}[row["from"]]
    hidden = ", hidden" if row["hidden"] else ""
    return [
        row["policy"],
        row["queues"] or "-",
        row.get("subscriptions", "-"),
        str(row["priority"]),
        options or "-",
        source + hidden,
    ]
