"""A job as it stands: what was ordered, how far it has come, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import trio

from segue.broker.jobs.order import JobOrder

__all__ = ["Job", "JobState"]


class JobState(StrEnum):
    """A job is running until it has one of the other states, which is its last."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The broker ended before it did. It is not taken up again; what was passed on stays so."""


@dataclass(eq=False, slots=True)
class Job:
    """A job. All counts are messages.

    Attributes:
        number: its own, in this broker.
        total: ready when it began.
        looked_at: of these, until now; some may have gone to consumers meanwhile.
        matched: ready, and wanted by the filter.
        passed_on: of these, moved, copied or redriven; in a dry run, those that would be.
        skipped: of these, dead letters that do not tell which queue they came from.
        waits_for: why it can't go on at the moment; empty when it can.
        error: why it failed.
        ended: set with its last state.
    """

    number: int
    order: JobOrder
    started_ms: int
    total: int = 0
    state: JobState = JobState.RUNNING
    looked_at: int = 0
    matched: int = 0
    passed_on: int = 0
    skipped: int = 0
    waits_for: str = ""
    error: str = ""
    ended_ms: int = 0
    ended: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    @property
    def is_full(self) -> bool:
        """True when it has passed on as many as it may."""
        return 0 < self.order.messages_max <= self.passed_on

    def end(self, state: JobState, now_ms: int, error: str = "") -> None:
        """It is over."""
        self.state, self.error, self.ended_ms = state, error, now_ms
        self.waits_for = ""
        self.ended.set()

    def row(self) -> Mapping[str, Any]:
        """What an operator sees."""
        order = self.order
        return {
            "job": self.number,
            "kind": order.kind.value,
            "queue": order.queue,
            "to": order.to,
            "filter": order.filter,
            "rate": order.rate,
            "max": order.messages_max,
            "dry_run": order.dry_run,
            "state": self.state.value,
            "total": self.total,
            "looked_at": self.looked_at,
            "matched": self.matched,
            "passed_on": self.passed_on,
            "skipped": self.skipped,
            "waits_for": self.waits_for,
            "error": self.error,
            "started_ms": self.started_ms,
            "ended_ms": self.ended_ms,
        }
