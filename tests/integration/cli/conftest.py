"""A daemon for each module, a queue for each test, and commands that are run as an operator would run them."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.broker_process import BrokerProcess, broker_factory, module_broker

__all__ = ["Done", "Segue", "broker", "broker_factory", "module_broker", "queue", "run_segue", "segue"]

_numbers = itertools.count(1)


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


@pytest.fixture
def broker(module_broker: BrokerProcess) -> BrokerProcess:
    """The running daemon; other tests of the module use it too."""
    return module_broker


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    """A queue that no other test knows."""
    return f"{request.node.originalname}-{next(_numbers)}"


@pytest.fixture
def segue(broker: BrokerProcess) -> Segue:
    """Run a command for the running daemon; it has to succeed unless another `exit_code` is expected."""

    def run(*words: str, exit_code: int = 0, data: Path | None = None, input: bytes | None = None) -> Done:
        done = run_segue(*words, "--data", str(data or broker.data), input=input)
        assert done.exit_code == exit_code, done
        return done

    return run
