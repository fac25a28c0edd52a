"""iron_mq 0.9.3, IronMQ's own client for Node: every operation that it has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.iron_client import PROJECT
from tests.interop.node_packages import NODE, install

__all__: list[str] = []

_SOURCE = Path(__file__).parent / "iron_mq"
_SECONDS_MAX = 60.0


def test_every_operation_does_what_it_should(request: pytest.FixtureRequest, module_broker: BrokerProcess) -> None:
    folder = install(request.config, "iron_mq", _SOURCE)
    host, port = module_broker.http_address
    done = subprocess.run(
        # The client's own dependencies use what Node warns of.
        [NODE, "--no-deprecation", _SOURCE / "operations.mjs", host, str(port), PROJECT],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
