"""What commands print about jobs."""

from __future__ import annotations

from typing import Any, Final

from segue.broker.cli.text import count, printable

__all__ = ["JOB_COLUMNS", "job_row", "job_text"]

JOB_COLUMNS: Final = ("job", "what", "queue", "to", "state", "looked at", "of", "passed on", "skipped")
_DONE: Final = {"move": "moved", "copy": "copied", "redrive": "redriven"}


def job_row(job: dict[str, Any]) -> list[str]:
    """A line of the table; numbers from the sixth column on."""
    return [
        str(job["job"]),
        job["kind"] + (" (dry run)" if job["dry_run"] else ""),
        job["queue"],
        job["to"] or "-",
        job["state"],
        count(job["looked_at"]),
        count(job["total"]),
        count(job["passed_on"]),
        count(job["skipped"]),
    ]


def job_text(job: dict[str, Any]) -> str:
    """A job in a sentence or two."""
    done = f"{'would be ' if job['dry_run'] else ''}{_DONE[job['kind']]}"
    to = f" to '{job['to']}'" if job["to"] else ""
    text = f"job {job['job']}: {job['state']}: {count(job['passed_on'])} messages of '{job['queue']}' {done}{to}"
    text += f", {count(job['looked_at'])} of {count(job['total'])} looked at"
    if job["skipped"]:
        text += f"; {count(job['skipped'])} do not say which queue they came from"
    if job["waits_for"]:
        text += f"; it waits: {job['waits_for']}"
    if job["error"]:
        text += f"; {job['error']}"
    return printable(text)
