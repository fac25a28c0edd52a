"""`segue job`: look at jobs that move messages between queues, and end them."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from segue.broker.cli.arguments import whole
from segue.broker.cli.control_action import ControlAction, add_control_action
from segue.broker.cli.control_client import ControlClient
from segue.broker.cli.job_text import JOB_COLUMNS, job_row, job_text
from segue.broker.cli.job_watch import watch
from segue.broker.cli.text import table

__all__ = ["add_arguments"]

_NEXT_STEPS: Final = {"not-found": "`segue job list` has those that there are"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_control_action(actions, "list", "jobs that run, and the last ones that have ended", _list, next_steps={})
    _add(actions, "show", "one job: what it does and how far it has come", _show)
    _add(actions, "watch", "wait until a job has ended", _watch)
    _add(actions, "cancel", "end a job; what it has done stays so", _cancel)


def _add(actions: Any, name: str, text: str, action: ControlAction) -> None:
    parser = add_control_action(actions, name, text, action, next_steps=_NEXT_STEPS)
    parser.add_argument("job", metavar="JOB", type=whole(1), help="number of the job")


def _list(arguments: argparse.Namespace, client: ControlClient) -> None:
    jobs = client.list("job.list")
    if arguments.json:
        print(json.dumps(jobs, indent=2))
    else:
        print(table(JOB_COLUMNS, map(job_row, jobs), right=(0, *range(5, len(JOB_COLUMNS)))))


def _show(arguments: argparse.Namespace, client: ControlClient) -> None:
    _say(arguments, client.ask("job.show", {"job": arguments.job}))


def _watch(arguments: argparse.Namespace, client: ControlClient) -> None:
    _say(arguments, watch(client, arguments.job))


def _cancel(arguments: argparse.Namespace, client: ControlClient) -> None:
    _say(arguments, client.ask("job.cancel", {"job": arguments.job}))


def _say(arguments: argparse.Namespace, job: dict[str, Any]) -> None:
    print(json.dumps(job, indent=2) if arguments.json else job_text(job))
