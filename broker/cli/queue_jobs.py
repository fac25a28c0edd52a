"""The commands of `segue queue` that begin a job: move, copy, redrive."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from segue.broker.cli.arguments import CONTROL_EXIT_CODES, add_action, whole
from segue.broker.cli.control_client import add_control_arguments, connect
from segue.broker.cli.failure import CommandFailure
from segue.broker.cli.job_text import job_text
from segue.broker.cli.job_watch import watch
from segue.broker.exit_codes import ExitCode

__all__ = ["add_job_actions"]

_RATE_MAX: Final = 1_000_000


def add_job_actions(actions: Any) -> None:
    """Declare the sub-commands."""
    move = _add(actions, "move", "move messages that are ready to another queue, in order", "QUEUE", "DESTINATION")
    copy = _add(actions, "copy", "the same, and leave them where they are", "QUEUE", "DESTINATION")
    redrive = _add(actions, "redrive", "send dead letters back to where they came from", "QUEUE")
    redrive.add_argument("--to", metavar="QUEUE", default="", help="send them there instead")
    for parser in (move, copy, redrive):
        _add_flags(parser)


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
    add_control_arguments(parser)


def _add(actions: Any, name: str, text: str, *words: str) -> argparse.ArgumentParser:
    def run(arguments: argparse.Namespace) -> int:
        return _run(arguments, f"queue.{name}")

    return add_action(actions, name, text, run, CONTROL_EXIT_CODES, *words)


def _run(arguments: argparse.Namespace, do: str) -> int:
    wanted = {
        "queue": arguments.queue,
        "to": arguments.to if do == "queue.redrive" else arguments.destination,
        "filter": arguments.filter,
        "rate": arguments.rate,
        "max": arguments.max,
        "dry_run": arguments.dry_run,
    }
    try:
        with connect(arguments) as client:
            job = client.ask(do, wanted)
            if arguments.wait:
                job = watch(client, job["job"])
    except CommandFailure as failure:
        if failure.code == "not-found":
            failure.next_step = "`segue queue list` names those that there are"
        raise
    print(json.dumps(job, indent=2) if arguments.json else job_text(job))
    return ExitCode.OK
