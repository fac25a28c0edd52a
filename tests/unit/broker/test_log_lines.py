"""The log writes lines in order, limits what repeats itself, and never waits for whoever reads it (fault 111)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from segue.broker.log_lines import LogLines, LogStatistics
from tests.helpers.recorded_log import LogEvent, RecordedLog

UNLIMITED = 1_000_000
_PATIENCE_SECONDS = 60.0
"""For the thread that writes: what a log gives it by itself can be too short on a busy machine."""


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Pipe:
    """A pipe, the end of which the log writes to."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()

    def fill(self) -> int:
        """Fill it up, so that the next write blocks; returns by how many bytes."""
        os.set_blocking(self.write_fd, False)
        count = 0
        try:
            while True:
                count += os.write(self.write_fd, b"#" * 4096)
        except BlockingIOError:
            os.set_blocking(self.write_fd, True)
        return count

    def read(self, count: int) -> bytes:
        """Read exactly so many bytes."""
        data = b""
        while len(data) < count:
            data += os.read(self.read_fd, count - len(data))
        return data

    def read_all(self) -> list[str]:
        """Read what is left, and close both ends."""
        os.close(self.write_fd)
        self.write_fd = -1
        with os.fdopen(self.read_fd, "rb") as file:
            self.read_fd = -1
            return file.read().decode().splitlines()

    def close(self) -> None:
        for fd in (self.read_fd, self.write_fd):
            if fd >= 0:
                os.close(fd)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@contextmanager
def open_log(pipe: Pipe, level: str = "info", **options: Any) -> Iterator[LogLines]:
    """A log that writes to the pipe, and has written all of it at the end."""
    log = LogLines(pipe.write_fd, level, **options)
    try:
        yield log
    finally:
        log.close(_PATIENCE_SECONDS)


def wait_until_taken(log: LogLines) -> None:
    """Wait until no line is in the queue: the thread that writes has the last one."""
    while log._lines:
        os.sched_yield()


def bodies(lines: list[str]) -> list[str]:
    """The lines without their time."""
    return [line.split(" ", 1)[1] for line in lines]


def test_events_are_written_in_order_with_level_and_fields(pipe: Pipe) -> None:
    with open_log(pipe, "debug", clock=Clock()) as log:
        log.debug("a.first", x=1)
        log.info("b.second")
        log.warning("c.third", why="no reason")
        log.error("d.fourth")
    assert pipe.read_all() == [
        "1970-01-01T00:00:00.000Z debug a.first x=1",
        "1970-01-01T00:00:00.000Z info b.second",
        '1970-01-01T00:00:00.000Z warning c.third why="no reason"',
        "1970-01-01T00:00:00.000Z error d.fourth",
    ]
    assert log.statistics() == LogStatistics(written=4, dropped=0, suppressed=0)


def test_events_below_the_level_are_left_out(pipe: Pipe) -> None:
    with open_log(pipe, "warning") as log:
        log.debug("a.b")
        log.info("a.b")
        log.warning("a.b")
        assert [log.is_enabled(level) for level in ("debug", "info", "warning", "error")] == [False, False, True, True]
    assert bodies(pipe.read_all()) == ["warning a.b"]


def test_in_json_each_line_is_an_object(pipe: Pipe) -> None:
    with open_log(pipe, format="json", clock=Clock()) as log:
        log.info("a.b", n=1)
    (line,) = pipe.read_all()
    assert json.loads(line) == {"time": "1970-01-01T00:00:00.000Z", "level": "info", "event": "a.b", "n": 1}


def test_a_line_is_cut_where_a_pipe_would_split_it(pipe: Pipe) -> None:
    with open_log(pipe) as log:
        log.info("a.b", **{f"field_{number}": "ä" * 500 for number in range(9)})
    data = pipe.read_all()[0].encode()
    assert 4000 < len(data) < 4096
    assert data.endswith("ä...".encode())


def test_an_exception_is_logged_with_the_frames_it_came_through_and_no_values(pipe: Pipe) -> None:
    def publish(passcode: str) -> None:
        raise OSError(28, "No space left on device")

    with open_log(pipe) as log:
        try:
            publish("geheim")
        except OSError as error:
            log.crash("internal.error", error, peer="x")
    (line,) = pipe.read_all()
    assert 'error internal.error peer=x error="OSError: [Errno 28] No space left on device" trace="OSError at ' in line
    assert "broker/test_log_lines.py" in line
    assert "(publish) < " in line
    assert "geheim" not in line


def test_of_a_group_of_exceptions_the_first_is_traced() -> None:
    log = RecordedLog()
    try:
        raise BaseExceptionGroup("two", [ExceptionGroup("one", [KeyError("x")]), ValueError("y")])
    except BaseExceptionGroup as error:
        log.crash("internal.error", error)
    assert str(log.events[0].fields["trace"]).startswith("KeyError at ")


def test_an_event_that_repeats_itself_is_limited_and_the_rest_counted(pipe: Pipe) -> None:
    monotonic = Clock()
    with open_log(pipe, event_burst_max=3, event_interval_seconds=10, monotonic=monotonic) as log:
        for number in range(10):
            log.info("login.refused", number=number)
        log.info("another.event")
        monotonic.now = 10
        log.info("login.refused", number=10)
        log.info("login.refused", number=11)
        monotonic.now = 1000
        for number in range(12, 16):
            log.info("login.refused", number=number)
    assert bodies(pipe.read_all()) == [
        "info login.refused number=0",
        "info login.refused number=1",
        "info login.refused number=2",
        "info another.event",
        "info login.refused number=10 suppressed=7",
        "info login.refused number=12 suppressed=1",
        "info login.refused number=13",
        "info login.refused number=14",
        "warning log.suppressed of=login.refused lines=1",
    ]
    assert log.statistics() == LogStatistics(written=9, dropped=0, suppressed=9)


def test_names_of_events_that_are_made_up_at_run_time_dont_fill_the_memory(pipe: Pipe) -> None:
    reader = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(pipe.read_fd, 65536), b"")])
    reader.start()
    with open_log(pipe, queue_lines_max=UNLIMITED) as log:
        for number in range(5000):
            made_up = f"event.{number}"
            log.info(made_up)
    assert len(log._limit._due) == 1024
    os.close(pipe.write_fd)
    pipe.write_fd = -1
    reader.join()


def test_a_reader_that_stops_stops_nobody_and_is_told_what_it_missed(pipe: Pipe) -> None:
    filled = pipe.fill()
    with open_log(pipe, event_burst_max=UNLIMITED, queue_lines_max=16) as log:
        log.info("a.b", number=0)
        # Else the thread that writes may come for more than this line, at any time, and make room in the queue.
        wait_until_taken(log)
        for number in range(1, 1000):
            log.info("a.b", number=number)
        assert log.statistics().dropped == 1000 - 1 - 16
        pipe.read(filled)
    assert bodies(pipe.read_all()) == [
        *[f"info a.b number={number}" for number in range(1 + 16)],
        "warning log.dropped lines=983",
    ]


def test_what_was_dropped_is_told_where_it_is_missing(pipe: Pipe) -> None:
    filled = pipe.fill()
    log = LogLines(pipe.write_fd, event_burst_max=UNLIMITED, queue_lines_max=16, clock=Clock())
    log.info("before.gap")
    wait_until_taken(log)
    # The writer is stuck with the first line. 16 more fill the queue, and the next is lost.
    for _ in range(17):
        log.info("before.gap")
    pipe.read(filled)
    # The second line comes in one write with all that was in the queue: once it is here, there is room.
    pipe.read(2 * len("1970-01-01T00:00:00.000Z info before.gap\n"))
    log.info("after.gap")
    log.close(_PATIENCE_SECONDS)
    assert bodies(pipe.read_all()) == [
        *["info before.gap"] * 15,
        "warning log.dropped lines=1",
        "info after.gap",
    ]


def test_closing_does_not_wait_for_a_reader_that_is_stuck(pipe: Pipe) -> None:
    filled = pipe.fill()
    log = LogLines(pipe.write_fd)
    log.info("a.b")
    log.close(flush_seconds=0)
    assert log._writer.is_alive()
    pipe.read(filled)
    log.close(_PATIENCE_SECONDS)
    assert not log._writer.is_alive()
    assert bodies(pipe.read_all()) == ["info a.b"]


def test_a_process_can_end_while_its_log_is_stuck(pipe: Pipe) -> None:
    pipe.fill()
    program = (
        "from segue.broker.log_lines import LogLines; log = LogLines(2);"
        "[log.info('a.b') for _ in range(50)]; log.close(flush_seconds=0)"
    )
    assert subprocess.run([sys.executable, "-c", program], stderr=pipe.write_fd, check=False).returncode == 0


def test_a_reader_that_is_gone_costs_lines_and_nothing_else(pipe: Pipe) -> None:
    os.close(pipe.read_fd)
    pipe.read_fd = -1
    with open_log(pipe) as log:
        log.info("a.b")
        log.info("c.d")
    assert log.statistics() == LogStatistics(written=0, dropped=2, suppressed=0)


def test_a_stream_that_others_made_non_blocking_is_waited_for_and_left_as_it_is(pipe: Pipe) -> None:
    filled = pipe.fill()
    os.set_blocking(pipe.write_fd, False)
    with open_log(pipe) as log:
        log.info("a.b")
        pipe.read(filled)
    assert not os.get_blocking(pipe.write_fd)
    assert bodies(pipe.read_all()) == ["info a.b"]


def test_after_closing_events_are_dropped_and_counted(pipe: Pipe) -> None:
    log = LogLines(pipe.write_fd)
    log.close()
    log.close()
    log.info("a.b")
    assert log.statistics() == LogStatistics(written=0, dropped=1, suppressed=0)
    assert pipe.read_all() == []


def test_lines_of_many_threads_are_whole(pipe: Pipe) -> None:
    def write(name: str) -> None:
        for number in range(100):
            log.info("a.b", name=name, number=number)

    with open_log(pipe, event_burst_max=UNLIMITED) as log:
        threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = bodies(pipe.read_all())
    for name in "abcd":
        assert [line for line in lines if f"name={name}" in line] == [
            f"info a.b name={name} number={number}" for number in range(100)
        ]


def test_a_recorded_log_keeps_events_for_tests() -> None:
    log = RecordedLog()
    log.info("a.b", x=1)
    log.error("c.d")
    assert log.events == [LogEvent("info", "a.b", {"x": 1}), LogEvent("error", "c.d", {})]
    assert log.named("c.d") == [LogEvent("error", "c.d", {})]
