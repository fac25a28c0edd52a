"""`segue queue`: look at queues, and work on them."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Final

from segue.broker.cli.arguments import whole
from segue.broker.cli.control_action import ControlAction, add_control_action
from segue.broker.cli.control_client import ControlClient
from segue.broker.cli.messages import message_text
from segue.broker.cli.queue_jobs import add_job_actions
from segue.broker.cli.queue_publish import add_publish
from segue.broker.cli.queue_text import queue_table, queue_text, why_text
from segue.broker.cli.text import count, printable

__all__ = ["add_arguments"]

_BODY_BYTES_SHOWN = 1000

_NEXT_STEPS: Final = {
    "not-found": "`segue queue list` names those that there are",
    "in-use": "leave --if-empty and --if-unused out to delete it all the same",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add(actions, "list", "every queue, with its counts", _list)
    _add(actions, "show", "one queue: its counts and its consumers", _show, "QUEUE")
    text = "what a queue does beyond holding messages, and who says so: client, policy or default"
    _add(actions, "why", text, _why, "QUEUE")
    declare = _add(actions, "declare", "make a queue; one that is there stays as it is", _declare, "QUEUE")
    declare.add_argument("--auto-delete", action="store_true", help="the queue goes with its last consumer")
    browse = _add(actions, "browse", "read messages without taking them", _browse, "QUEUE")
    browse.add_argument(
        "--limit", metavar="N", type=whole(1), default=10, help="most messages that are read (default: %(default)s)"
    )
    browse.add_argument("--all", action="store_true", help="read every message that is ready, whatever --limit says")
    browse.add_argument(
        "--body-bytes",
        metavar="N",
        type=whole(0),
        default=_BODY_BYTES_SHOWN,
        help="how much of each body is shown (default: %(default)s; --full-bodies: all)",
    )
    browse.add_argument("--full-bodies", action="store_true", help="show whole bodies")
    add_publish(actions)
    text = "remove every message that is ready; those out with consumers stay"
    purge = _add(actions, "purge", text, _purge, "QUEUE")
    purge.add_argument(
        "--set-aside", action="store_true", help="give up what was set aside as damaged, and nothing else"
    )
    delete = _add(actions, "delete", "delete a queue with its messages", _delete, "QUEUE")
    delete.add_argument("--if-empty", action="store_true", help="only if it has no messages")
    delete.add_argument("--if-unused", action="store_true", help="only if it has no consumers")
    _add(actions, "pause", "deliver nothing from a queue until it is resumed; it still takes messages", _pause, "QUEUE")
    _add(actions, "resume", "deliver from a queue again", _resume, "QUEUE")
    add_job_actions(actions, _NEXT_STEPS)


def _add(actions: Any, name: str, text: str, action: ControlAction, *positional: str) -> argparse.ArgumentParser:
    return add_control_action(actions, name, text, action, *positional, next_steps=_NEXT_STEPS)


# Actions.


def _list(arguments: argparse.Namespace, client: ControlClient) -> None:
    rows = client.list("queue.list")
    print(json.dumps(rows, indent=2) if arguments.json else queue_table(rows))


def _show(arguments: argparse.Namespace, client: ControlClient) -> None:
    queue = client.ask("queue.show", {"queue": arguments.queue})
    print(json.dumps(queue, indent=2) if arguments.json else queue_text(queue))


def _why(arguments: argparse.Namespace, client: ControlClient) -> None:
    queue = client.ask("queue.why", {"queue": arguments.queue})
    print(json.dumps(queue, indent=2) if arguments.json else why_text(queue["options"]))


def _declare(arguments: argparse.Namespace, client: ControlClient) -> None:
    done = client.ask("queue.declare", {"queue": arguments.queue, "auto_delete": arguments.auto_delete})
    made = "declared" if done["created"] else "was there already; it stays as it is"
    _say(arguments, done, f"queue '{done['queue']}' {made}")


def _browse(arguments: argparse.Namespace, client: ControlClient) -> None:
    wanted: dict[str, Any] = {"queue": arguments.queue}
    if not arguments.all:
        wanted["limit"] = arguments.limit
    if not arguments.full_bodies:
        wanted["body_bytes"] = arguments.body_bytes

    def show(messages: list[dict[str, Any]]) -> None:
        for message in messages:
            print(json.dumps(message) if arguments.json else message_text(message))

    done = client.ask("queue.browse", wanted, on_items=show)
    if not arguments.json and not done["count"]:
        print(f"queue '{printable(done['queue'])}' has no message that is ready")


def _purge(arguments: argparse.Namespace, client: ControlClient) -> None:
    from segue.bench.progress import ProgressBar

    bar = ProgressBar(sys.stderr, "purge")
    try:
        wanted = {"queue": arguments.queue, "set_aside": arguments.set_aside}
        done = client.ask("queue.purge", wanted, on_progress=bar.show)
    finally:
        bar.clear()
    _say(arguments, done, f"queue '{done['queue']}': {count(done['purged'])} messages removed")


def _delete(arguments: argparse.Namespace, client: ControlClient) -> None:
    wanted = {"queue": arguments.queue, "if_empty": arguments.if_empty, "if_unused": arguments.if_unused}
    done = client.ask("queue.delete", wanted)
    _say(arguments, done, f"queue '{done['queue']}' deleted, with {count(done['messages'])} messages")


def _pause(arguments: argparse.Namespace, client: ControlClient) -> None:
    done = client.ask("queue.pause", {"queue": arguments.queue})
    _say(arguments, done, f"queue '{done['queue']}' is paused: nothing is delivered until `segue queue resume`")


def _resume(arguments: argparse.Namespace, client: ControlClient) -> None:
    done = client.ask("queue.resume", {"queue": arguments.queue})
    _say(arguments, done, f"queue '{done['queue']}' delivers again")


def _say(arguments: argparse.Namespace, done: dict[str, Any], text: str) -> None:
    print(json.dumps(done, indent=2) if arguments.json else printable(text))
