"""Tests of segue.broker.cli.job_text: what an operator reads of a job."""

from __future__ import annotations

from typing import Any

import pytest

from segue.broker.cli.job_text import JOB_COLUMNS, job_row, job_text
from segue.broker.jobs import Job, JobKind, JobOrder, JobState


def row(order: JobOrder, **more: Any) -> dict[str, Any]:
    job = Job(7, order, 1_700_000_000_000, total=5000)
    for name, value in more.items():
        setattr(job, name, value)
    return dict(job.row())


MOVE = JobOrder(JobKind.MOVE, "a", "b")
WAITING = (
    "job 7: running: 3 messages of 'dead' redriven, 10 of 5,000 looked at; 2 do not say which queue they came from; "
    "it waits: queue 'a' is full"
)


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (
            row(MOVE, state=JobState.DONE, looked_at=5000, passed_on=1234),
            "job 7: done: 1,234 messages of 'a' moved to 'b', 5,000 of 5,000 looked at",
        ),
        (
            row(JobOrder(JobKind.COPY, "a", "b", dry_run=True), looked_at=10, passed_on=3),
            "job 7: running: 3 messages of 'a' would be copied to 'b', 10 of 5,000 looked at",
        ),
        (
            row(JobOrder(JobKind.REDRIVE, "dead"), looked_at=10, passed_on=3, skipped=2, waits_for="queue 'a' is full"),
            WAITING,
        ),
        (
            row(JobOrder(JobKind.MOVE, "a\n", "b"), state=JobState.FAILED, error="queue 'a' was deleted"),
            "job 7: failed: 0 messages of 'a\\n' moved to 'b', 0 of 5,000 looked at; queue 'a' was deleted",
        ),
    ],
)
def test_a_job_is_said_in_a_sentence(job: dict[str, Any], text: str) -> None:
    assert job_text(job) == text


def test_a_job_is_a_line_of_the_table() -> None:
    cells = job_row(row(MOVE, looked_at=4000, passed_on=1234))
    assert cells == ["7", "move", "a", "b", "running", "4,000", "5,000", "1,234", "0"]
    assert len(cells) == len(JOB_COLUMNS)
