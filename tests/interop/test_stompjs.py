"""@stomp/stompjs, the usual client of JavaScript, in Node: over TCP in STOMP 1.0, 1.1 and 1.2, and over WebSocket."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.interop.node_packages import NODE, install

__all__: list[str] = []

_SOURCE = Path(__file__).parent / "node"
_SCENARIO_SECONDS_MAX = 100.0
_SCENARIOS = [
    "connects_and_disconnects",
    "is_told_of_a_wrong_password",
    "sends_and_receives",
    "sends_and_receives_binary",
    "acknowledges_one_by_one",
    "acknowledges_all_before",
    "returns_a_message",
    "commits_and_aborts",
    "beats_its_heart",
    "asks_and_is_answered",
    "keeps_a_durable_subscription",
    "connects_again",
    "spreads_a_frame_over_messages",
    "is_told_of_an_error",
    "unsubscribes",
]


@pytest.fixture(scope="session")
def stompjs(request: pytest.FixtureRequest) -> Path:
    """A folder with the client installed as its lock file says."""
    return install(request.config, "stompjs", _SOURCE)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the scenarios' script, in the folder where the client is installed."""
    return subprocess.run(
        [NODE, _SOURCE / "scenarios.mjs", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_SCENARIO_SECONDS_MAX,
        check=False,
    )


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("scenario", _SCENARIOS)
def test_a_program_with_stompjs(module_broker: BrokerProcess, stompjs: Path, scenario: str, version: str) -> None:
    host, port = module_broker.address
    done = run(stompjs, scenario, version, f"tcp://{host}:{port}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("scenario", _SCENARIOS)
def test_a_program_with_stompjs_over_websocket(module_broker: BrokerProcess, stompjs: Path, scenario: str) -> None:
    host, port = module_broker.http_address
    done = run(stompjs, scenario, "1.2", f"ws://{host}:{port}/ws")
    assert done.returncode == 0, done.stderr


def test_every_scenario_is_run(stompjs: Path) -> None:
    listed = run(stompjs, "--list").stdout
    assert sorted(_SCENARIOS) == sorted(name.strip('" \n') for name in listed.strip("[]\n").split(","))
