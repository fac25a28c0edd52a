"""Requests that schemathesis makes from the description of the API, good ones and bad ones, find nothing wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.helpers.broker_process import BrokerProcess

HOOKS = '''
import schemathesis

@schemathesis.serializer("application/x-ndjson")
def text(context, value):
    """Lines have no schema."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")

@schemathesis.hook
def before_call(context, case, kwargs):
    """Who waits for messages does not wait for long."""
    if isinstance(case.body, dict) and isinstance(case.body.get("wait_seconds"), float | int):
        case.body["wait_seconds"] = min(case.body["wait_seconds"], 0.01)
'''


def test_schemathesis_finds_nothing(broker: BrokerProcess, tmp_path: Path) -> None:
    host, port = broker.http_address
    (tmp_path / "hooks.py").write_text(HOOKS)
    options = {
        "--auth": "guest:guest",
        "--phases": "coverage,fuzzing",
        "--max-examples": "2",
        "--seed": "1",
        # There are rules that JSON Schema can't say: what a name may be, of which members there may be one.
        "--exclude-checks": "positive_data_acceptance",
    }
    command = [str(Path(sys.executable).with_name("st")), "run", f"http://{host}:{port}/openapi.json"]
    done = subprocess.run(
        [*command, *(word for option in options.items() for word in option)],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "internal.error" not in broker.log
