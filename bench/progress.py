"""A progress bar on standard error, for a person who waits."""

from __future__ import annotations

import time
from typing import TextIO

__all__ = ["ProgressBar"]

_WIDTH = 30
_FRACTION_MIN = 0.01
"""From how much on the time that is left is said: less is a start-up, which tells nothing of the rest."""


class ProgressBar:
    """One line that is written over itself. Nothing is written where nobody looks: to a file or a pipe.

    Args:
        stream: where to, usually `sys.stderr`.
        label: what is going on.
    """

    def __init__(self, stream: TextIO, label: str) -> None:
        self._stream = stream
        self._label = label
        self._visible = stream.isatty()
        self._started = time.monotonic()
        self._written = 0

    def show(self, done: float, total: float, note: str = "") -> None:
        """Draw the bar; `done` and `total` are in the same unit."""
        if self._visible:
            self._write(render(self._label, done, total, time.monotonic() - self._started, note))

    def clear(self) -> None:
        """Take the bar away."""
        if self._written:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()
            self._written = 0

    def _write(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._written))
        self._stream.flush()
        self._written = len(line)


def render(label: str, done: float, total: float, elapsed_seconds: float, note: str) -> str:
    """The text of a bar: label, bar, percentage, note, time left."""
    fraction = min(done / total, 1.0) if total > 0 else 0.0
    full = int(fraction * _WIDTH)
    left = f"{_clock(elapsed_seconds * (1 - fraction) / fraction)} left" if fraction >= _FRACTION_MIN else ""
    parts = [f"{label} [{'#' * full}{'.' * (_WIDTH - full)}] {fraction:4.0%}", note, left]
    return "  ".join(part for part in parts if part)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
