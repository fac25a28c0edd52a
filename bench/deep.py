"""The deep queue: fill it with nobody taking, confirm behind what waits, and drain it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from segue.bench.result import Result
from segue.bench.run import Watcher, run_workload
from segue.bench.target import Target
from segue.bench.workload import Workload

__all__ = ["DeepQueue", "Phase", "measure_deep_queue"]

_PROBE_MESSAGES = 1000

Phase = Callable[[str, int], Watcher]
"""Told which phase begins and how many messages it has; gives what watches it."""


@dataclass(frozen=True, slots=True)
class DeepQueue:
    """The three phases.

    Attributes:
        fill: publishing, in blocks: the last should be as fast as the first.
        probe: a publisher with a window of 1, with all that waiting; None when the queue could not be filled.
        drain: taking it all, in blocks and in order; None when the queue was left full.
    """

    fill: Result
    probe: Result | None = None
    drain: Result | None = None

    @property
    def phases(self) -> list[tuple[str, Result]]:
        """The phases that took place, with their names."""
        named = [("fill", self.fill), ("probe", self.probe), ("drain", self.drain)]
        return [(name, result) for name, result in named if result is not None]


def measure_deep_queue(target: Target, workload: Workload, drain: bool, phase: Phase) -> DeepQueue:
    """Measure one queue.

    Args:
        target: with one queue, which should be empty.
        workload: how many messages, of which size, how many a block.
        drain: whether to take them off again.
        phase: called as each phase begins.
    """
    assert workload.messages is not None
    fill = run_workload(target, replace(workload, consumers=0), phase("fill", workload.messages))
    if fill.error:
        return DeepQueue(fill)
    probe = Workload(producers=1, window=1, messages=_PROBE_MESSAGES, body_bytes=workload.body_bytes)
    probed = run_workload(target, probe, phase("probe", _PROBE_MESSAGES))
    if probed.error or not drain:
        return DeepQueue(fill, probed)
    waiting = fill.confirmed + probed.confirmed
    taking = replace(workload, producers=0, consumers=1, messages=waiting)
    return DeepQueue(fill, probed, run_workload(target, taking, phase("drain", waiting)))
