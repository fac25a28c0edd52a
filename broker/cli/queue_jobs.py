"""The commands of `segue queue` that begin a job: move, copy, redrive."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from segue.broker.cli.arguments import whole
from segue.broker.cli.control_action import add_control_action
from segue.broker.cli.control_client import ControlClient
from segue.broker.cli.job_text import job_text
from segue.broker.cli.job_watch import watch

__all__ = ["add_job_actions"]

_RATE_MAX: Final = 1_000_000


def add_job_actions(actions: Any, next_steps: Mapping[str, str]) -> None:
    """Declare the sub-commands; `next_steps` as in `add_control_action`."""
    move = "move messages that are ready to another queue, in order"
    copy = "the same, and leave them where they are"
    for name, text in (("move", move), ("copy", copy)):
        action = partial(_run, f"queue.{name}")
        _add_flags(add_control_action(actions, name, text, action, "QUEUE", "DESTINATION", next_steps=next_steps))
    text = "send dead letters back to where they came from"
    redrive = add_control_action(
        actions, "redrive", text, partial(_run, "queue.redrive"), "QUEUE", next_steps=next_steps
    )
    redrive.add_argument("--to", metavar="QUEUE", default="", help="send them there instead")
    _add_flags(redrive)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--filter", metavar="SELECTOR", default="", help="only messages that a selector matches")
    parser.add_argument("--rate", metavar="N", type=whole(1, _RATE_MAX), default=0, help="most messages a second")
    parser.add_argument("--max", metavar="N", type=whole(1), default=0, help="most messages altogether")
    parser.add_argument("--dry-run", action="store_true", help="only count them")
    parser.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="wait until it is done (default); `segue job` shows one that is not waited for",
    )


def _run(do: str, arguments: argparse.Namespace, client: ControlClient) -> None:
    wanted = {
        "queue": arguments.queue,
        "to": arguments.to if do == "queue.redrive" else arguments.destination,
        "filter": arguments.filter,
        "rate": arguments.rate,
        "max": arguments.max,
        "dry_run": arguments.dry_run,
    }
    job = client.ask(do, wanted)
    if arguments.wait:
        job = watch(client, job["job"])
    print(json.dumps(job, indent=2) if arguments.json else job_text(job))
