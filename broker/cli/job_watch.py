"""Waiting for a job at the command line."""

from __future__ import annotations

import sys
from typing import Any

from segue.broker.cli.control_client import ControlClient
from segue.broker.cli.failure import CommandFailure
from segue.broker.cli.job_text import job_text
from segue.broker.exit_codes import ExitCode

__all__ = ["watch"]


def watch(client: ControlClient, number: int) -> dict[str, Any]:
    """Wait until a job has ended, with a progress bar; returns it.

    Raises:
        CommandFailure: it has failed, or the daemon does not answer.
    """
    from segue.bench.progress import ProgressBar

    bar = ProgressBar(sys.stderr, f"job {number}")
    try:
        job = client.ask("job.watch", {"job": number}, on_progress=bar.show)
    except KeyboardInterrupt:
        bar.clear()
        print(f"job {number} goes on; `segue job cancel {number}` ends it", file=sys.stderr)
        raise
    finally:
        bar.clear()
    if job["state"] == "failed":
        raise CommandFailure(ExitCode.REFUSED, "job-failed", job_text(job), "what was passed on before stays so")
    return job
