"""`segue bench` as a process of its own, so that what it costs is not counted as the broker's or as ours."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from segue.bench.target import Target

__all__ = ["bench_command", "run_bench"]

# Far beyond what a scenario takes as its own limit: a generator that hangs is reported, not waited for.
_TIMEOUT_SECONDS = 3600.0


def bench_command(words: str, target: Target) -> list[str]:
    """The command line for a scenario's words."""
    place = ["--broker", f"{target.host}:{target.port}", "--destination", target.destination]
    scenario, *options = words.split()
    command = [sys.executable, "-m", "segue.bench", scenario, *place, "--queues", str(target.queues)]
    for option, headers in (("--send-header", target.send_headers), ("--subscribe-header", target.subscribe_headers)):
        command += [word for name, value in headers for word in (option, f"{name}:{value}")]
    return [*command, *options, "--json"]


def run_bench(words: str, target: Target) -> dict[str, Any]:
    """Run it to its end; return its figures, which have an `error` that is empty when it went through."""
    command = bench_command(words, target)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return {"error": f"segue bench was still running after {_TIMEOUT_SECONDS:.0f} s"}
    try:
        figures: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"error": f"segue bench ended with {done.returncode}: {done.stderr[-300:]}"}
    return figures
