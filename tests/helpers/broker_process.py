"""A real daemon as a child process: started, stopped, killed and paused by tests.

Readiness is the line that the daemon prints, never a wait: a thread reads its output, and `start` returns when the line
has come. The daemon leads a process group of its own, so that `kill` takes everything that it may have started.
"""

from __future__ import annotations

import itertools
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

import pytest

from tests.helpers.http_client import HttpClient
from tests.helpers.stomp_client import Address, StompClient

__all__ = ["BrokerFactory", "BrokerProcess", "DaemonDied", "broker", "broker_factory", "module_broker", "queue_name"]

# DESIGN: ready within 10 s after `kill -9` whatever the depth; the rest is for a machine that does other things too.
_READY_SECONDS = 60.0
_HTTP_READY_LINE = re.compile(r"\bready\b.*\bhttp\b[^\n]*?(127\.0\.0\.1):(\d+)")
_READY_LINE = re.compile(r"\bready\b.*\bstomp\b[^\n]*?(127\.0\.0\.1|\[::1\]):(\d+)")
_SETTING = "SEGUE_{}"
_numbers = itertools.count(1)
# Where `tests` can be imported from, for modules of ours that are started instead of the daemon's.
_ROOT = Path(__file__).parents[2]


class DaemonDied(AssertionError):
    """The daemon ended before it was ready."""

    def __init__(self, exit_code: int, log: str) -> None:
        super().__init__(f"the daemon ended with exit code {exit_code} before it was ready:\n{log}")
        self.exit_code = exit_code
        self.log = log


class BrokerProcess:
    """One data directory and, most of the time, a daemon on it.

    Args:
        data: The data directory; it survives a restart.
        settings: `section.key` to value, handed over as environment variables.
        arguments: More arguments for `segue serve`.
        descriptors_max: The limit of open files for the daemon.
        address_space_bytes: The limit of its virtual memory.
        module: What is started with `python -m`; another one may give the daemon a bad disk.
        environment: More environment variables.
    """

    def __init__(
        self,
        data: Path,
        *,
        settings: Mapping[str, object] | None = None,
        arguments: Sequence[str] = (),
        descriptors_max: int | None = None,
        address_space_bytes: int | None = None,
        module: str = "segue.broker",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.settings = dict(settings or {})
        self.arguments = list(arguments)
        self.descriptors_max = descriptors_max
        self.address_space_bytes = address_space_bytes
        self.module = module
        self.environment = dict(environment or {})
        self.starts = 0
        self.ready_seconds = 0.0
        self._launched = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._output: _Output | None = None
        self._clients: list[StompClient | HttpClient] = []
        self._log_of_earlier_starts = ""

    # Life --------------------------------------------------------------------------------------------------------

    def start(self, timeout_seconds: float = _READY_SECONDS) -> None:
        """Start the daemon and return when it is ready.

        Raises:
            DaemonDied: It ended instead.
        """
        self.launch()
        self.wait_ready(timeout_seconds)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def launch(self) -> None:
        """Start the daemon and return at once: for tests of what happens during recovery."""
        assert self._process is None, "the daemon runs already"
        self._launched = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", self.module, "serve", "--data", str(self.data), *self._listen(), *self.arguments],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            start_new_session=True,
            preexec_fn=self._set_limits if self.descriptors_max or self.address_space_bytes else None,
        )
        assert self._process.stdout is not None
        self._output = _Output(self._process.stdout)
        self.starts += 1

    def _listen(self) -> list[str]:
        return [] if "--stomp" in self.arguments or "--config" in self.arguments else ["--stomp", "127.0.0.1:0"]

    def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
        if "--http" not in self.arguments:
            environment[_SETTING.format("HTTP__LISTEN")] = "127.0.0.1:0"  # 8080 is one for all that run at a time
        for name, value in self.settings.items():
            environment[_SETTING.format(name.upper().replace(".", "__"))] = str(value)
        return environment | self.environment

    def _set_limits(self) -> None:
        limits = {resource.RLIMIT_NOFILE: self.descriptors_max, resource.RLIMIT_AS: self.address_space_bytes}
        for what, value in limits.items():
            if value is not None:
                resource.setrlimit(what, (value, value))

    def wait_ready(self, timeout_seconds: float = _READY_SECONDS) -> None:
        process, output = self._running()
        if output.wait_for(_READY_LINE, timeout_seconds) is None:
            if output.ended:
                raise DaemonDied(self._reap(process), self.log)
            self.kill()
            raise AssertionError(f"not ready after {timeout_seconds} s:\n{self.log}")
        self.ready_seconds = time.monotonic() - self._launched

    def stop(self, timeout_seconds: float = 60.0) -> int:
        """Ask the daemon to end (SIGTERM) and return its exit code; its clients leave when it says good-bye."""
        self.signal(signal.SIGTERM)
        self._leave(time.monotonic() + timeout_seconds)
        return self.wait(timeout_seconds)

    def _leave(self, deadline: float) -> None:
        """Answer the end of each connection with ours; the daemon waits `limits.drain_seconds` for who does not.

        Nothing is read: what the daemon said last is for the test.
        """
        sockets = {client.socket.fileno(): client.socket for client in self._clients if client.socket.fileno() >= 0}
        ends = select.poll()
        for descriptor in sockets:
            ends.register(descriptor, select.POLLRDHUP)
        while sockets and (ended := ends.poll(max(deadline - time.monotonic(), 0.0) * 1000)):
            for descriptor, _ in ended:
                ends.unregister(descriptor)
                with suppress(OSError):
                    sockets.pop(descriptor).shutdown(socket.SHUT_WR)

    def wait(self, timeout_seconds: float = 60.0) -> int:
        """Return the exit code of a daemon that ends by itself."""
        process, output = self._running()
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {timeout_seconds} s:\n{self.log}") from None
        assert output.wait_end(timeout_seconds), "something still holds the daemon's output open"
        return self._reap(process)

    def kill(self) -> None:
        """`kill -9` of the whole process group; nothing when no daemon runs."""
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        self._reap(process)

    def _reap(self, process: subprocess.Popen[bytes]) -> int:
        exit_code = process.wait()
        if self._output is not None:
            self._output.wait_end(5.0)
            self._log_of_earlier_starts += self._output.text
            self._output.close()
        self._process = None
        self._output = None
        while self._clients:
            self._clients.pop().close()
        return exit_code

    def kill_after(self, seconds: float) -> None:
        """`kill -9` so long after the launch, wherever that finds the daemon."""
        self._let_run_until(self._launched + seconds)
        self.kill()

    def signal_after(self, seconds: float, number: int) -> None:
        self._let_run_until(self._launched + seconds)
        self.signal(number)

    def _let_run_until(self, at: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            exit_code = self._running()[0].wait(max(at - time.monotonic(), 0.0))
            raise DaemonDied(exit_code, self.log)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def pause(self) -> None:
        """SIGSTOP: as a laptop that sleeps, a debugger, a hypervisor that takes its time."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def _running(self) -> tuple[subprocess.Popen[bytes], _Output]:
        assert self._process is not None, "no daemon runs"
        assert self._output is not None
        return self._process, self._output

    # Facts -------------------------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._running()[0].pid

    @property
    def address(self) -> Address:
        """Where the daemon listens for STOMP: another port after each start, unless one was asked for."""
        found = self._running()[1].wait_for(_READY_LINE, 0.0)
        assert found is not None, "not ready yet"
        return found[1], int(found[2])

    @property
    def http_address(self) -> Address:
        """Where the daemon listens for HTTP."""
        found = self._running()[1].wait_for(_HTTP_READY_LINE, 0.0)
        assert found is not None, "not ready yet"
        return found[1], int(found[2])

    def http_client(self) -> HttpClient:
        """A connection for HTTP; the end of the daemon closes it too."""
        client = HttpClient(socket.create_connection(self.http_address, timeout=60))
        self._clients.append(client)
        return client

    @property
    def log(self) -> str:
        """What the daemon has written since the first start."""
        return self._log_of_earlier_starts + (self._output.text if self._output is not None else "")

    def wait_for_log(self, pattern: str, timeout_seconds: float = 60.0) -> re.Match[str]:
        """Return the first match of `pattern` in what this start has written, as soon as it is there."""
        found = self._running()[1].wait_for(re.compile(pattern), timeout_seconds)
        assert found is not None, f"no {pattern!r} within {timeout_seconds} s:\n{self.log}"
        return found

    def resident_bytes(self) -> int:
        """Resident memory of the daemon."""
        fields = (Path("/proc") / str(self.pid) / "statm").read_text().split()
        return int(fields[1]) * resource.getpagesize()

    def open_descriptors(self) -> int:
        return len(list((Path("/proc") / str(self.pid) / "fd").iterdir()))

    def cpu_seconds(self) -> float:
        """User and system time that the daemon has used."""
        stat = (Path("/proc") / str(self.pid) / "stat").read_text()
        fields = stat[stat.rindex(")") + 2 :].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # Clients -----------------------------------------------------------------------------------------------------

    def client(self, version: str | None = "1.2", **headers: str) -> StompClient:
        """Return a client that is logged in."""
        client = self.raw_client()
        client.connect(version, **headers)
        return client

    def raw_client(self, **options: Any) -> StompClient:
        """Return a client that has connected and said nothing; the end of the daemon closes it too."""
        client = StompClient(self.address, **options)
        self._clients.append(client)
        return client

    def assert_no_traceback(self) -> None:
        """A peer or a signal, whatever it does, is an event of one line and never a stack trace."""
        assert "Traceback (most recent call last)" not in self.log, self.log


class _Output:
    """Collects a pipe in a thread, and tells when a pattern has come by."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._parts: list[str] = []
        self._changed = threading.Condition()
        self.ended = False
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        with self._changed:
            return "".join(self._parts)

    def _collect(self) -> None:
        while line := self._pipe.readline():
            with self._changed:
                self._parts.append(line.decode("utf-8", "replace"))
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def wait_for(self, pattern: re.Pattern[str], timeout_seconds: float) -> re.Match[str] | None:
        found: list[re.Match[str]] = []

        def matches() -> bool:
            match = pattern.search("".join(self._parts))
            if match is not None:
                found.append(match)
            return match is not None or self.ended

        with self._changed:
            self._changed.wait_for(matches, timeout_seconds)
        return found[0] if found else None

    def wait_end(self, timeout_seconds: float) -> bool:
        self._thread.join(timeout_seconds)
        return self.ended

    def close(self) -> None:
        if self.ended:
            self._pipe.close()


BrokerFactory = Callable[..., BrokerProcess]


@pytest.fixture
def broker_factory(tmp_path: Path) -> Iterator[BrokerFactory]:
    """Start a daemon with the settings that are given; all end with the test, and none may leave a stack trace."""
    brokers: list[BrokerProcess] = []

    def start(*, started: bool = True, data: Path | None = None, **options: object) -> BrokerProcess:
        broker = BrokerProcess(data or tmp_path / f"data-{len(brokers)}", **options)  # type: ignore[arg-type]
        brokers.append(broker)
        if started:
            broker.start()
        return broker

    yield start
    for broker in brokers:
        broker.kill()
    for broker in brokers:
        broker.assert_no_traceback()


@pytest.fixture(scope="module")
def module_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A daemon with the default settings, shared by the tests of a module."""
    failed_before = request.session.testsfailed
    broker = BrokerProcess(tmp_path_factory.mktemp("broker") / "data")
    with broker:
        yield broker
        broker.assert_no_traceback()
        assert broker.stop() == 0, broker.log
    if request.session.testsfailed == failed_before:
        # Of forty modules, 8 GB would be left until the next run: pytest's workers remove nothing at their end.
        shutil.rmtree(broker.data)


@pytest.fixture
def broker(module_broker: BrokerProcess) -> BrokerProcess:
    """The running daemon; other tests of the module use it too."""
    return module_broker


@pytest.fixture
def queue_name(request: pytest.FixtureRequest) -> str:
    """The name of a queue that no other test knows."""
    return f"{request.node.originalname}-{next(_numbers)}"
