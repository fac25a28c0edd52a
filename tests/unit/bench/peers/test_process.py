"""A broker's process tree."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.bench.peers.process import BrokerProcess, descendants

# A shell with a child of its own, both of which say when they are there.
TREE = ["sh", "-c", "sleep 60 & echo ready; wait"]
STUBBORN = ["sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.05; done"]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[BrokerProcess]]:
    processes: list[BrokerProcess] = []
    yield processes
    for process in processes:
        if process.alive:
            process.kill()


def start(command: list[str], directory: Path, started: list[BrokerProcess]) -> BrokerProcess:
    """A process that has said that it is ready."""
    pipe = directory / "output"
    os.mkfifo(pipe)
    # Opened for both, so that neither side waits for the other to open it.
    descriptor = os.open(pipe, os.O_RDWR)
    process = BrokerProcess(command, directory, {}, pipe)
    started.append(process)
    assert os.read(descriptor, 6) == b"ready\n"
    os.close(descriptor)
    return process


def test_the_tree_of_a_process_holds_its_children(tmp_path: Path, started: list[BrokerProcess]) -> None:
    process = start(TREE, tmp_path, started)
    assert len(process.pids()) == 2


def test_a_killed_process_takes_its_children_with_it(tmp_path: Path, started: list[BrokerProcess]) -> None:
    process = start(TREE, tmp_path, started)
    pids = process.pids()
    process.kill()
    assert not process.alive
    assert [pid for pid in pids if is_running(pid)] == []


def test_an_orderly_stop_asks_the_process_of_that_name(tmp_path: Path, started: list[BrokerProcess]) -> None:
    process = start(TREE, tmp_path, started)
    process.stop("sleep", timeout_seconds=10)
    assert not process.alive


def test_a_process_that_does_not_listen_is_killed_in_the_end(tmp_path: Path, started: list[BrokerProcess]) -> None:
    process = start(STUBBORN, tmp_path, started)
    process.stop("", timeout_seconds=0.05)
    assert not process.alive


def test_we_descend_from_our_parent() -> None:
    assert os.getpid() in descendants(os.getppid())


def test_a_process_that_has_ended_has_only_itself() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert descendants(ended.pid) == [ended.pid]


def is_running(pid: int) -> bool:
    """Whether it is more than a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
