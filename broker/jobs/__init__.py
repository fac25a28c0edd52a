"""Jobs: work on a queue that is too much for one step, and is seen, limited and cancelled while it goes on.

A job moves, copies or redrives messages of one queue: those that are ready and that a filter matches, in their order.
It reads the queue as a browser does, a window at a time, and takes what it wants from wherever it stands; what it does
not want keeps its place. Each message is passed on and settled in one batch, so after a crash it is in one queue or in
the other. `segue.broker.jobs.jobs` is what the node has of it.
"""

from __future__ import annotations

from segue.broker.jobs.job import Job, JobState
from segue.broker.jobs.jobs import Jobs
from segue.broker.jobs.order import JobKind, JobOrder

__all__ = ["Job", "JobKind", "JobOrder", "JobState", "Jobs"]
