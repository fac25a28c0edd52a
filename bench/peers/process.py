"""A broker's process with all that it starts: spawned, found in /proc, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

__all__ = ["BrokerProcess", "descendants"]


class BrokerProcess:
    """A process in a session of its own, its output in a file.

    Args:
        command: what to run; found on the PATH.
        directory: its working directory.
        environment: what is added to ours.
        log: where its output is appended.
    """

    def __init__(self, command: list[str], directory: Path, environment: dict[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the commands are ours
                command,
                cwd=directory,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self._process.poll() is None

    def pids(self) -> list[int]:
        """The process and all its descendants."""
        return descendants(self._process.pid)

    def stop(self, name: str, timeout_seconds: float) -> None:
        """Ask the process called `name` to end (SIGTERM), and wait; what is left then is killed.

        Args:
            name: as in /proc/PID/comm; empty, or when there is none such: the process that was started.
            timeout_seconds: how long an orderly stop may take.
        """
        pids = self.pids()
        named = [pid for pid in pids if name and _comm(pid) == name]
        _signal(named[0] if named else self._process.pid, signal.SIGTERM)
        # When that takes too long, the kill is the answer, and the report shows how long the stop took.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_seconds)
        self._end(pids)

    def kill(self) -> None:
        """SIGKILL to all at once: what a crash looks like."""
        self._end(self.pids())

    def _end(self, pids: list[int]) -> None:
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        self._process.wait()
        # Its children are not ours to wait for, but they hold its ports and files until they have really gone.
        while any(_is_running(pid) for pid in pids):
            time.sleep(0.005)


def descendants(pid: int) -> list[int]:
    """A process and all that descend from it, in no promised order but itself first."""
    children: dict[int, list[int]] = {}
    for child in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        children.setdefault(_parent(child), []).append(child)
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else -1


def _stat(pid: int) -> list[str]:
    """The fields behind the name, which stands in parentheses and may hold anything; none when there is no process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _is_running(pid: int) -> bool:
    """Whether it is more than a zombie, for which somebody else has to wait."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
