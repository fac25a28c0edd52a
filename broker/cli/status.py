"""`segue status`: how the running broker is."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from segue.broker.cli.arguments import CONTROL_EXIT_CODES
from segue.broker.cli.control_client import add_control_arguments, connect
from segue.broker.cli.text import age, count, rate, size
from segue.broker.exit_codes import ExitCode

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    add_control_arguments(parser)
    parser.set_defaults(exit_codes=CONTROL_EXIT_CODES)


def run(arguments: argparse.Namespace) -> int:
    """Ask, and print."""
    with connect(arguments) as client:
        status = client.ask("status")
    if arguments.json:
        print(json.dumps(status, indent=2))
    else:
        lines = list(_lines(status))
        width = max(len(name) for name, _ in lines)
        for name, value in lines:
            print(f"{name.ljust(width)}  {value}")
    return ExitCode.OK


def _lines(status: dict[str, Any]) -> Iterator[tuple[str, str]]:
    counts, rates, journal = status["counts"], status["rates"], status["journal"]
    checkpoints = status["checkpoints"]
    yield "segue", f"{status['version']}, process {status['pid']}, up {age(status['uptime_seconds'])}"
    yield "data", status["data_directory"]
    yield "publishers", _publishers(status)
    yield "memory", _memory(status["memory"])
    yield "disk", _disk(status["disk"])
    yield "connections", count(counts["connections"])
    yield "queues", f"{count(counts['queues'])}, and {count(counts['temporary_queues'])} temporary"
    yield "durable subscriptions", count(counts["durable_subscriptions"])
    yield "delayed", f"{count(status['schedule']['delayed'])} messages"
    yield "retained", f"{count(counts['retained_messages'])} messages of topics"
    yield "dropped", f"{count(counts['dropped_messages'])} messages that subscribers to topics were too slow for"
    yield "rates", ", ".join(f"{rate(value)} {name}/s" for name, value in rates.items())
    yield (
        "journal",
        f"at {count(journal['position'])}, {count(journal['syncs'])} syncs, {size(journal['bytes_written'])} written",
    )
    yield (
        "checkpoints",
        f"{count(checkpoints['done'])}"
        + (f"; the last one failed: {checkpoints['fault']}" if checkpoints["fault"] else ""),
    )
    if status["log"]["dropped"]:
        yield "log", f"{count(status['log']['dropped'])} lines are lost: its reader is too slow, or gone"


def _publishers(status: dict[str, Any]) -> str:
    pressure = status["pressure"]
    if not pressure["publishers_held"]:
        return "not held"
    return f"HELD: {'; '.join(pressure['reasons'])}"


def _memory(memory: dict[str, Any]) -> str:
    return (
        f"{size(memory['resident_bytes'])} resident; {size(memory['messages_bytes'])} of messages, "
        f"{size(memory['transactions_bytes'])} in transactions and {size(memory['output_bytes'])} of output, "
        f"mark at {size(memory['high_water_bytes'])}; {size(memory['receiving_bytes'])} of frames under way"
    )


def _disk(disk: dict[str, Any]) -> str:
    free = size(disk["free_bytes"]) if disk["free_bytes"] >= 0 else "not known yet,"
    return f"{free} free, mark at {size(disk['free_bytes_min'])}"
