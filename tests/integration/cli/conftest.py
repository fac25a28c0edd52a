"""A daemon for each module, a queue for each test, and commands that are run as an operator would run them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.broker_process import BrokerProcess, broker, broker_factory, module_broker, queue_name

__all__ = [
    "Done",
    "Segue",
    "broker",
    "broker_factory",
    "module_broker",
    "queue",
    "queue_name",
    "run_segue",
    "segue",
    "wait_for_segments",
]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Segue = Callable[..., Done]


def run_segue(*words: str, input: bytes | None = None) -> Done:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "segue.broker", *words],
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def wait_for_segments(broker: BrokerProcess, queue: str) -> None:
    """Checkpoints come once a second; each command is a look."""
    for _ in range(200):
        if run_segue("queue", "show", queue, "--json", "--data", str(broker.data)).json["segments"]:
            return
    raise AssertionError("no segment was written")


@pytest.fixture
def queue(queue_name: str) -> str:
    """A queue that no other test knows."""
    return queue_name


@pytest.fixture
def segue(broker: BrokerProcess) -> Segue:
    """Run a command for the running daemon; it has to succeed unless another `exit_code` is expected."""

    def run(*words: str, exit_code: int = 0, data: Path | None = None, input: bytes | None = None) -> Done:
        done = run_segue(*words, "--data", str(data or broker.data), input=input)
        assert done.exit_code == exit_code, done
        return done

    return run
