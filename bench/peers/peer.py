"""What the comparison asks of a broker: start, stop, crash, forget everything, and say how a queue is reached."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from segue.bench.link import Link
from segue.bench.peers.process import BrokerProcess
from segue.bench.replies import BrokerError
from segue.bench.target import Target

__all__ = ["Peer", "PeerError", "debian_version"]

_START_SECONDS = 180.0
_STOP_SECONDS = 180.0


class PeerError(Exception):
    """A broker is not installed, did not start, or ended by itself."""


class Peer(ABC):
    """One broker. Its files are below `directory`; `wipe` removes them all.

    Attributes:
        name: for options and records.
        title: for people.
        durability: what stands behind a receipt, for the report.
        port: of its STOMP listener, on 127.0.0.1; none that a service of the machine has.
        http_port: of its HTTP listener, there as well; 0 where it has none.
        main: the name of the process that is asked to stop.
        warm_up_seconds: of traffic before the first measured run, for a virtual machine that compiles what is hot.
    """

    name: str
    title: str
    durability: str
    port: int
    http_port: int = 0
    main: str = ""
    warm_up_seconds: float = 2.0

    def __init__(self, directory: Path) -> None:
        self.directory = directory / self.name
        self._process: BrokerProcess | None = None

    # What each broker says of itself.

    @abstractmethod
    def version(self) -> str:
        """As it is installed.

        Raises:
            PeerError: it is not.
        """

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it in the foreground."""

    def environment(self) -> dict[str, str]:
        """What its command needs besides."""
        return {}

    def configure(self) -> None:  # noqa: B027 - nothing is the right thing for a broker without files
        """Write its configuration, before each start."""

    def destination(self, queue: str) -> str:
        """Where messages for a queue are sent."""
        return f"/queue/{queue}"

    def declare(self, queue: str, count: int, seconds: float) -> int:
        """Make queues (`queue`, or `queue-0` ...), where using them is not enough; return how many there are.

        Args:
            queue: the name without number.
            count: how many.
            seconds: stop when it has taken so long.
        """
        return count

    # The same for all.

    def target(self, queue: str, queues: int = 1, timeout_seconds: float = 60.0) -> Target:
        """Where the load generator finds these queues."""
        return Target(
            port=self.port, destination=self.destination(queue), queues=queues, timeout_seconds=timeout_seconds
        )

    def start(self) -> float:
        """Start, and return how many seconds it took until a client could log in.

        Raises:
            PeerError: it ended, or nobody could within three minutes, or another broker has the port.
        """
        assert self._process is None, f"{self.name} runs already"
        if self._answers():
            raise PeerError(f"{self.name}: something else answers on port {self.port}")
        self.data_directory.mkdir(parents=True, exist_ok=True)
        self.configure()
        started = time.monotonic()
        # Beside the directory: what a broker said when it fell over has to survive `wipe`.
        log = self.directory.with_suffix(".log")
        self._process = BrokerProcess(self.command(), self.directory, self.environment(), log)
        while not self._answers():
            if not self._process.alive or time.monotonic() - started > _START_SECONDS:
                raise PeerError(f"{self.name} did not start: see {log}")
            time.sleep(0.005)
        return time.monotonic() - started

    def stop(self) -> float:
        """Stop in order, and return how many seconds that took; does nothing if it does not run."""
        started = time.monotonic()
        if self._process is not None:
            self._process.stop(self.main, _STOP_SECONDS)
            self._process = None
        return time.monotonic() - started

    def kill(self) -> None:
        """End it as a crash does."""
        assert self._process is not None, f"{self.name} does not run"
        self._process.kill()
        self._process = None

    def wipe(self) -> None:
        """Remove all its files; it must not run."""
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def data_directory(self) -> Path:
        """Where its messages are."""
        return self.directory / "data"

    def pids(self) -> list[int]:
        """Its processes, none if it does not run."""
        return self._process.pids() if self._process is not None else []

    def _answers(self) -> bool:
        try:
            Link(self.target("unused", timeout_seconds=1.0)).close()
            if self.http_port:
                socket.create_connection(("127.0.0.1", self.http_port), 1.0).close()
        except (BrokerError, OSError):
            return False
        return True


def debian_version(package: str) -> str:
    """The installed version of a Debian package.

    Raises:
        PeerError: it is not installed.
    """
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the command is ours
    except FileNotFoundError:
        raise PeerError("the peers are installed as Debian packages, and this is no Debian") from None
    status, _, version = done.stdout.partition(" ")
    if status != "installed":
        raise PeerError(f"{package} is not installed: make -C bench peers")
    return version.partition("-")[0].partition("+")[0]
