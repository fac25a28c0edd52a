"""A front-end of another distribution, installed beside Segue and served by the daemon like those in the box."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.helpers.stomp_client import StompClient
from tests.integration.packaging.installed import Environment, Wheel

HERE = Path(__file__).parent
TIMEOUT_SECONDS = 30


class Daemon:
    """`segue serve` of an environment, ended with the block; its log is read up to the line that says "ready"."""

    def __init__(self, environment: Environment, data: Path) -> None:
        command = [
            str(environment.python),
            "-m",
            "segue.broker",
            "serve",
            "--data",
            str(data),
            "--stomp",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.ready = ""

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        log = []
        for line in self.process.stdout:
            log.append(line)
            if " ready: " in line:
                self.ready = line
                return self
        self.process.communicate(timeout=TIMEOUT_SECONDS)
        raise AssertionError(f"the daemon ended with exit code {self.process.returncode}:\n{''.join(log)}")

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def address(self, front_end: str) -> tuple[str, int]:
        """Where a front-end listens, from the line that the daemon prints when it is ready."""
        found = re.search(rf"\b{front_end} (127\.0\.0\.1):(\d+)", self.ready)
        assert found is not None, self.ready
        return found[1], int(found[2])

    def end(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        self.process.communicate(timeout=TIMEOUT_SECONDS)
        return self.process.returncode


@pytest.fixture(scope="module")
def with_lines(wheel: Wheel, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Segue and the distribution `lines-for-segue`, whose source lies beside this file."""
    scratch = tmp_path_factory.mktemp("third-party")
    environment = Environment.make(scratch / "environment")
    environment.install(wheel.path)
    environment.install(shutil.copytree(HERE / "lines_for_segue", scratch / "lines_for_segue"))
    return environment


def publish_lines(address: tuple[str, int], *lines: str) -> None:
    """Send lines and return when the front-end has said of each that it is stored."""
    with socket.create_connection(address, timeout=TIMEOUT_SECONDS) as connection, connection.makefile("rw") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        assert [file.readline() for _ in lines] == ["stored\n"] * len(lines)


def expect_lines(address: tuple[str, int], *lines: str) -> None:
    """Take messages off the front-end's queue by STOMP."""
    with StompClient(address) as client:
        client.connect()
        client.subscribe("/queue/lines")
        client.expect_messages(*(line.encode() for line in lines))


def test_what_comes_in_by_a_third_party_front_end_goes_out_by_stomp(with_lines: Environment, tmp_path: Path) -> None:
    with Daemon(with_lines, tmp_path / "data") as daemon:
        publish_lines(daemon.address("lines"), "one", "two", "three")
        expect_lines(daemon.address("stomp"), "one", "two", "three")


def test_what_a_third_party_front_end_has_confirmed_survives_kill_nine(with_lines: Environment, tmp_path: Path) -> None:
    with Daemon(with_lines, tmp_path / "data") as killed:
        publish_lines(killed.address("lines"), "kept")
    with Daemon(with_lines, tmp_path / "data") as daemon:
        expect_lines(daemon.address("stomp"), "kept")


def test_the_daemon_stops_cleanly_with_a_third_party_front_end(with_lines: Environment, tmp_path: Path) -> None:
    with Daemon(with_lines, tmp_path / "data") as daemon, socket.create_connection(daemon.address("lines")):
        assert daemon.end(signal.SIGTERM) == 0


def test_the_loader_finds_it_among_those_in_the_box(with_lines: Environment) -> None:
    program = (
        "import json; from segue.broker.frontends import load_frontends; print(json.dumps(list(load_frontends())))"
    )
    assert json.loads(with_lines.run_python("-c", program)) == ["control", "http", "lines", "stomp"]


def test_its_settings_are_checked_and_shown_like_all_others(with_lines: Environment, tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text('[lines]\nlisten = ["127.0.0.1:7777"]\n')
    shown = with_lines.segue("config", "show", "--config", str(tmp_path / "segue.toml"))
    assert "127.0.0.1:7777" in shown
