"""`segue job`: look at jobs that move messages between queues, and end them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from segue.broker.cli.arguments import CONTROL_EXIT_CODES, add_action, whole
from segue.broker.cli.control_client import ControlClient, add_control_arguments, connect
from segue.broker.cli.failure import CommandFailure
from segue.broker.cli.job_text import JOB_COLUMNS, job_row, job_text
from segue.broker.cli.job_watch import watch
from segue.broker.cli.text import table
from segue.broker.exit_codes import ExitCode

__all__ = ["add_arguments"]

Action = Callable[[argparse.Namespace, ControlClient], dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "jobs that run, and the last ones that have ended"
    add_control_arguments(add_action(actions, "list", text, _list, CONTROL_EXIT_CODES))
    _add(actions, "show", "one job: what it does and how far it has come", _show)
    _add(actions, "watch", "wait until a job has ended", _watch)
    _add(actions, "cancel", "end a job; what it has done stays so", _cancel)


def _add(actions: Any, name: str, text: str, action: Action) -> None:
    def run(arguments: argparse.Namespace) -> int:
        try:
            with connect(arguments) as client:
                job = action(arguments, client)
        except CommandFailure as failure:
            if failure.code == "not-found":
                failure.next_step = "`segue job list` has those that there are"
            raise
        print(json.dumps(job, indent=2) if arguments.json else job_text(job))
        return ExitCode.OK

    parser = add_action(actions, name, text, run, CONTROL_EXIT_CODES)
    parser.add_argument("job", metavar="JOB", type=whole(1), help="number of the job")
    add_control_arguments(parser)


def _list(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        jobs = client.list("job.list")
    if arguments.json:
        print(json.dumps(jobs, indent=2))
    else:
        print(table(JOB_COLUMNS, map(job_row, jobs), right=(0, *range(5, len(JOB_COLUMNS)))))
    return ExitCode.OK


def _show(arguments: argparse.Namespace, client: ControlClient) -> dict[str, Any]:
    return client.ask("job.show", {"job": arguments.job})


def _watch(arguments: argparse.Namespace, client: ControlClient) -> dict[str, Any]:
    return watch(client, arguments.job)


def _cancel(arguments: argparse.Namespace, client: ControlClient) -> dict[str, Any]:
    return client.ask("job.cancel", {"job": arguments.job})
