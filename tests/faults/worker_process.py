"""The process of a worker (`tests/faults/worker.py`): led from step to step, killed at one of them, or let run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from tests.helpers.stomp_client import Address

__all__ = ["Stop", "WorkerProcess"]

_ROOT = Path(__file__).parents[2]
_END_SECONDS = 60.0


class Stop(NamedTuple):
    """Where a worker waits: behind this step of this job."""

    step: str
    job: str


class WorkerProcess:
    """One worker. It waits behind every step until `run`."""

    def __init__(self, address: Address, *, running: bool = False) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", address[0], str(address[1])],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._words: IO[str] = self._process.stdin
        self._steps: IO[str] = self._process.stdout
        if running:
            self.say("run")

    def say(self, word: str) -> None:
        """Let it go on, with one of the words of the worker."""
        self._words.write(word + "\n")
        self._words.flush()

    def lead_to(self, step: str) -> Stop:
        """Let it go on to the next step of this name, and wait there."""
        while (stop := self._next_stop()).step != step:
            self.say("go")
        return stop

    def _next_stop(self) -> Stop:
        line = self._steps.readline()
        assert line, f"the worker has ended with {self._process.wait(_END_SECONDS)}"
        return Stop(*line.split())

    def live_for(self, seconds: float) -> None:
        """Let it work for so long; it must not end by itself."""
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"the worker has ended with {self._process.wait(seconds)}")

    def kill(self) -> None:
        """`kill -9`; nothing when it has ended."""
        self._process.kill()
        self._process.wait()
        self._close()

    def wait_end(self, progress: Callable[[], int]) -> None:
        """See that it ends by itself, behind its last job; it may take its time as long as `progress` rises."""
        done = -1
        while (code := self._code_within(_END_SECONDS)) is None:
            before, done = done, progress()
            assert done > before, f"the worker does nothing behind {done}"
        assert code == 0
        self._close()

    def _code_within(self, seconds: float) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def _close(self) -> None:
        self._steps.close()
        with suppress(BrokenPipeError):
            self._words.close()
