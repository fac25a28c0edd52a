"""The log: one line an event to stderr, safe to look at and never waited for.

    2026-01-31T12:00:00.000Z info connection.closed peer=127.0.0.1:40312 reason="write stall"

Theory of operation. stderr is a pipe, a terminal or a file, often shared with other processes, and whoever reads it may
stop. A write to it then blocks; it can't be made non-blocking, because O_NONBLOCK belongs to the open file, which the
others share, and asking with poll() first leaves a gap in which they may fill the pipe. So a thread of its own writes,
and may block as long as it likes; all others put lines into a bounded queue, and drop and count them when it is full.
The thread is a daemon thread: a process that ends does not wait for a reader that is gone.
"""

from __future__ import annotations

import os
import select
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from segue.broker.log_text import LINE_BYTES_MAX, format_json, format_line

__all__ = ["LEVELS", "Log", "LogLevels", "LogLines", "LogStatistics"]

# There are some hundred events in the source. The bound is for one that is made up at run time by mistake.
_EVENTS_MAX: Final = 1024
_FRAMES_MAX: Final = 8
_FLUSH_SECONDS: Final = 1.0

LEVELS: Final = ("debug", "info", "warning", "error")


class Log(Protocol):
    """Where events go.

    An event's name is a noun and a verb in the past, `connection.closed`; what differs from one to the next is in the
    fields. No method blocks or raises, and all may be called from any thread.
    """

    def debug(self, event: str, /, **fields: object) -> None:
        """Log what only somebody who looks for a fault wants to see."""

    def info(self, event: str, /, **fields: object) -> None:
        """Log what happens in the normal course."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Log what an operator should look at some time."""

    def error(self, event: str, /, **fields: object) -> None:
        """Log what an operator should look at now."""

    def crash(self, event: str, error: BaseException, /, **fields: object) -> None:
        """Log an exception that nobody expected, as an error, with the frames that it came through."""

    def statistics(self) -> LogStatistics:
        """Count what became of the lines so far."""


@dataclass(frozen=True, slots=True)
class LogStatistics:
    """What became of the lines so far.

    Attributes:
        written: handed to the system.
        dropped: lost, because the reader was slow or gone.
        suppressed: not made, because the same event had used up its burst.
    """

    written: int
    dropped: int
    suppressed: int


class LogLevels(ABC):
    """The four levels and `crash` of a `Log`, in terms of one method."""

    def debug(self, event: str, /, **fields: object) -> None:
        self._log("debug", event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        self._log("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        self._log("warning", event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        self._log("error", event, fields)

    def crash(self, event: str, error: BaseException, /, **fields: object) -> None:
        self._log("error", event, {**fields, "error": error, "trace": _trace(error)})

    @abstractmethod
    def _log(self, level: str, event: str, fields: Mapping[str, object]) -> None: ...


class LogLines(LogLevels):
    """A log that writes lines to a file descriptor. Use it as a context manager, or call `close`.

    Invariant: `_lock` is held only for a few steps in memory, never while something is written, so no caller ever
    waits for the reader of the log.
    """

    def __init__(
        self,
        stream_fd: int,
        level: str = "info",
        format: str = "text",
        *,
        event_burst_max: int = 100,
        event_interval_seconds: float = 0.1,
        queue_lines_max: int = 1024,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the thread that writes.

        Args:
            stream_fd: where to write; it stays open when the log is closed.
            level: the least severe level that is written, one of LEVELS.
            format: `text` or `json`.
            event_burst_max: how many lines of one event are written in a row.
            event_interval_seconds: how long it takes until one more is, after that.
            queue_lines_max: how many lines wait for a slow reader, at most 4096 bytes each.
            clock: seconds since 1970, for what stands in the line.
            monotonic: seconds, for the limit.
        """
        self._fd = stream_fd
        self._least = LEVELS.index(level)
        self._format = format_json if format == "json" else format_line
        self._limit = _EventLimit(event_burst_max, event_interval_seconds)
        self._clock = clock
        self._monotonic = monotonic
        self._lines: deque[bytes] = deque()
        self._lines_max = queue_lines_max
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._is_closing = False
        self._written = 0
        self._dropped = 0
        # Those of `_dropped` that no line in the log has told of yet.
        self._dropped_untold = 0
        self._writer = threading.Thread(target=self._write_lines, name="log", daemon=True)
        self._writer.start()

    def __enter__(self) -> LogLines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def is_enabled(self, level: str) -> bool:
        """Say whether events of a level are written; for fields that cost something to gather."""
        return LEVELS.index(level) >= self._least

    def close(self, flush_seconds: float = _FLUSH_SECONDS) -> None:
        """Write what waits, for at most so long, and take no more. Calling it again does nothing."""
        with self._lock:
            if not self._is_closing:
                # At most one line an event and one more: the queue may be that much too long now.
                self._tell_of_dropped()
                for event, count in self._limit.untold():
                    self._append("warning", "log.suppressed", {"of": event, "lines": count})
                self._is_closing = True
                self._changed.notify()
        self._writer.join(flush_seconds)

    def statistics(self) -> LogStatistics:
        """Count what became of the lines so far."""
        with self._lock:
            return LogStatistics(self._written, self._dropped, self._limit.suppressed)

    def _log(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        if not self.is_enabled(level):
            return
        now = self._monotonic()
        with self._lock:
            suppressed = self._limit.take(event, now)
            if suppressed is not None:
                self._put(level, event, {**fields, "suppressed": suppressed} if suppressed else fields)

    def _put(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        if self._is_closing or len(self._lines) >= self._lines_max:
            self._dropped += 1
            self._dropped_untold += 1
            return
        self._tell_of_dropped()
        self._append(level, event, fields)

    def _tell_of_dropped(self) -> None:
        """Say how many lines are missing, at the place where they are."""
        if self._dropped_untold:
            self._append("warning", "log.dropped", {"lines": self._dropped_untold})
            self._dropped_untold = 0

    def _append(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        self._lines.append(_cut(self._format(self._clock(), level, event, fields)))
        self._changed.notify()

    def _write_lines(self) -> None:
        while chunk := self._next_chunk():
            is_written = _write(self._fd, b"".join(chunk))
            with self._lock:
                if is_written:
                    self._written += len(chunk)
                else:
                    self._dropped += len(chunk)
                    self._dropped_untold += len(chunk)

    def _next_chunk(self) -> list[bytes]:
        """Wait for lines, and take as many as one undivided write holds; none when the log is closed and empty."""
        with self._lock:
            while not self._lines and not self._is_closing:
                self._changed.wait()
            chunk: list[bytes] = []
            room = LINE_BYTES_MAX
            while self._lines and len(self._lines[0]) <= room:
                chunk.append(self._lines.popleft())
                room -= len(chunk[-1])
            return chunk


class _EventLimit:
    """How often each event may be logged: the generic cell rate algorithm (ITU-T I.371), one number an event."""

    def __init__(self, burst_max: int, interval_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._tolerance_seconds = (burst_max - 1) * interval_seconds
        # Per event, when it would be due if lines came at the interval; and how many were suppressed since the last.
        self._due: dict[str, float] = {}
        self._untold: dict[str, int] = {}
        self.suppressed = 0

    def take(self, event: str, now: float) -> int | None:
        """Ask for a line.

        Returns:
            How many of this event were suppressed before, when it may be written; None when it may not.
        """
        due = max(self._due.get(event, now), now)
        if due - now > self._tolerance_seconds:
            self.suppressed += 1
            self._untold[event] = self._untold.get(event, 0) + 1
            return None
        if event not in self._due and len(self._due) >= _EVENTS_MAX:
            del self._due[next(iter(self._due))]
        self._due[event] = due + self._interval_seconds
        return self._untold.pop(event, 0)

    def untold(self) -> Iterator[tuple[str, int]]:
        """List the events of which lines were suppressed that none has told of."""
        yield from self._untold.items()


def _write(fd: int, data: bytes) -> bool:
    """Write all of it, however long that takes. False when it can't be: the reader is gone, the disk is full."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            # Somebody who shares it has set O_NONBLOCK. We may wait, so wait.
            _wait_until_writable(fd)
        except OSError:
            return False
    return True


def _wait_until_writable(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll()


def _cut(line: str) -> bytes:
    """Encode a line with its end, cut to what one write holds."""
    encoded = line.encode("utf-8", "backslashreplace")
    if len(encoded) >= LINE_BYTES_MAX:
        # A character may have been cut in two: what is left of it is ignored.
        encoded = encoded[: LINE_BYTES_MAX - 4].decode("utf-8", "ignore").encode() + b"..."
    return encoded + b"\n"


def _trace(error: BaseException) -> str:
    """Write the frames that an exception came through, innermost first: files and lines, no values."""
    # Of a group of a nursery, the first is where to look; the others are named by `error`.
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames: list[str] = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        file = "/".join(code.co_filename.split("/")[-2:])
        frames.append(f"{file}:{traceback.tb_lineno}({code.co_name})")
        traceback = traceback.tb_next
    return f"{type(error).__name__} at {' < '.join(frames[: -_FRAMES_MAX - 1 : -1])}"
