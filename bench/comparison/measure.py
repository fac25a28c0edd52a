"""A broker seen from outside: CPU, memory and disk of its process tree, and whether it really asks the disk.

Everything comes from /proc and /sys, the same way for every broker.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from segue.bench.peers.peer import Peer
from segue.bench.peers.process import descendants

__all__ = ["Figures", "Observation", "cpu_seconds", "disk_bytes", "flush_count", "resident_bytes", "whole_disk"]

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SAMPLE_SECONDS = 0.25
# In /sys/.../stat: the sixteenth number counts flush requests (kernel 5.5 and newer).
_FLUSH_FIELD = 15


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run cost.

    Attributes:
        seconds: wall time.
        cpu_seconds: of the broker's processes.
        rss_peak_bytes: the highest sample of all its processes together.
        flushes: requests to the disk to make durable what it has; None where the kernel does not count them.
        written_bytes: what the broker's processes caused to be written; None where that may not be read.
        other_cores: cores that were busy with neither broker nor load generator: a noisy neighbour spoils a run.
    """

    seconds: float
    cpu_seconds: float
    rss_peak_bytes: int
    flushes: int | None
    written_bytes: int | None
    other_cores: float


class _Counters(NamedTuple):
    """All that only rises."""

    broker: float
    generator: float
    machine: float
    flushes: int | None
    written_bytes: int | None


class Observation:
    """A context in which a broker is watched; its `figures` are there after it.

    Args:
        peer: a broker that runs.
    """

    def __init__(self, peer: Peer) -> None:
        self._pids = peer.pids()
        self._disk = whole_disk(peer.directory)
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._rss_peak = 0
        self.figures: Figures | None = None

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._before = self._counters()
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._sampler.join()
        after = self._counters()
        seconds = time.monotonic() - self._started
        before = self._before
        broker = after.broker - before.broker
        others = after.machine - before.machine - broker - (after.generator - before.generator)
        self.figures = Figures(
            seconds=round(seconds, 3),
            cpu_seconds=round(broker, 2),
            rss_peak_bytes=self._rss_peak,
            flushes=_difference(after.flushes, before.flushes),
            written_bytes=_difference(after.written_bytes, before.written_bytes),
            other_cores=round(max(others, 0.0) / seconds, 3),
        )

    def _counters(self) -> _Counters:
        return _Counters(
            broker=cpu_seconds(self._pids),
            # The load generator is a child of ours that has been waited for, so it is in our own times.
            generator=sum(os.times()[:4]),
            machine=_machine_seconds(),
            flushes=flush_count(self._disk),
            written_bytes=_written_bytes(self._pids),
        )

    def _sample(self) -> None:
        while True:
            self._rss_peak = max(self._rss_peak, resident_bytes(self._pids))
            if self._done.wait(_SAMPLE_SECONDS):
                return


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of processes that run."""
    return sum(int(ticks) for pid in pids for ticks in _stat(pid)[11:13]) / _TICKS_PER_SECOND


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory of processes that run."""
    statements = [_read(f"/proc/{pid}/statm").split() for pid in pids]
    return sum(int(fields[1]) for fields in statements if len(fields) > 1) * _PAGE_BYTES


def disk_bytes(directory: Path) -> int:
    """Blocks that the files below a directory occupy."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                continue  # A broker may remove files while we look.
    return total


def whole_disk(directory: Path) -> Path | None:
    """The disk below a directory in /sys, None when there is none of its own (an overlay, a network)."""
    existing = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())
    number = existing.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not device.exists():
        return None
    # Flushes are counted for disks, not for partitions.
    return device.resolve().parent if (device / "partition").exists() else device.resolve()


def flush_count(disk: Path | None) -> int | None:
    """How many flush requests a disk has completed; None when it does not say."""
    fields = _read(f"{disk}/stat").split() if disk is not None else []
    return int(fields[_FLUSH_FIELD]) if len(fields) > _FLUSH_FIELD else None


def _written_bytes(pids: Iterable[int]) -> int | None:
    lines = [line for pid in pids for line in _read(f"/proc/{pid}/io").splitlines() if line.startswith("write_bytes:")]
    return sum(int(line.split()[1]) for line in lines) if lines else None


def _machine_seconds() -> float:
    """Busy time of all cores, without that of kernel threads: the disk's work is nobody's noise."""
    user, nice, system, _, _, interrupts, soft_interrupts = map(int, _read("/proc/stat").split()[1:8])
    busy = (user + nice + system + interrupts + soft_interrupts) / _TICKS_PER_SECOND
    return busy - cpu_seconds(descendants(2))


def _difference(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before


def _stat(pid: int) -> list[str]:
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
