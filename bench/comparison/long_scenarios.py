"""The figures that take minutes and more than one command: deep queue, restarts, many queues, idle connections."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

from segue.bench import frames
from segue.bench.comparison.arena import Arena
from segue.bench.comparison.bench_command import bench_command
from segue.bench.comparison.measure import disk_bytes, resident_bytes
from segue.bench.comparison.scenarios import DEEP, IDLE, MANY_QUEUES, SHALLOW_DRAIN
from segue.bench.link import Link
from segue.bench.peers.peer import Peer
from segue.bench.replies import BrokerError
from segue.bench.target import Target

__all__ = ["deep_queue", "first_delivery_seconds", "idle_connections", "many_queues", "shallow_drain"]

_BLOCK = 250_000
_FIRST_DELIVERY_SECONDS = 600.0


def shallow_drain(arena: Arena, messages: int) -> None:
    """How fast a queue of this length is taken off: what the drain of a deep one is compared with."""
    queue = arena.new_queues()
    filled = arena.measure(f"{SHALLOW_DRAIN}-fill", f"publish --messages {messages} --seconds 60", queue)
    arena.measure(SHALLOW_DRAIN, f"consume --messages {filled.get('confirmed', 0)} --seconds 120", queue)


def deep_queue(arena: Arena, messages: int, limit_seconds: float) -> None:
    """Fill one queue; confirm behind what waits; restart after a stop and after a crash; drain.

    Args:
        arena: with a broker that runs.
        messages: how many.
        limit_seconds: a broker that is slower than that leaves the fill, and the drain, unfinished.
    """
    queue = arena.new_queues()
    limit = f"--seconds {limit_seconds:g} --block {_BLOCK}"
    filled = arena.measure(f"{DEEP}-fill", f"publish --messages {messages} {limit}", queue)
    arena.measure(f"{DEEP}-probe", "publish --window 1 --messages 2000", queue)
    if not filled.get("confirmed"):
        return
    _restart(arena, f"{DEEP}-restart-clean", queue, arena.peer.stop)
    _restart(arena, f"{DEEP}-restart-killed", queue, lambda: _kill(arena.peer))
    # Until nothing comes any more, not until a number is reached: a message too many is a fault, too.
    arena.measure(f"{DEEP}-drain", f"consume --idle-seconds 5 {limit}", queue)


def many_queues(arena: Arena, count: int, each: int) -> None:
    """`each` messages on every one of `count` queues: publish, restart, take them off."""
    queues = arena.new_queues(count)
    made = queues.queues
    if made < count:
        arena.record(MANY_QUEUES, {"queues": made}, f"only {made:,} queues were declared in five minutes")
        return
    publish = f"publish --producers 10 --messages {count * each} --seconds 300"
    arena.measure(MANY_QUEUES, publish, queues)
    _restart(arena, f"{MANY_QUEUES}-restart", queues, arena.peer.stop)
    consume = f"consume --consumers 10 --messages {count * each} --idle-seconds 10 --seconds 300"
    arena.measure(f"{MANY_QUEUES}-drain", consume, queues)


def idle_connections(arena: Arena, count: int, settle_seconds: float) -> None:
    """What a connection with a subscription on an empty queue costs in memory."""
    queues = arena.new_queues(10)
    time.sleep(settle_seconds)
    before = resident_bytes(arena.peer.pids())
    command = bench_command(f"connections --connections {count} --hold-seconds 3600", queues)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as held:  # noqa: S603 - the command is ours
        assert held.stdout is not None
        opened: dict[str, Any] = json.loads(held.stdout.readline() or '{"connections": 0, "error": "no answer"}')
        time.sleep(settle_seconds)
        after = resident_bytes(arena.peer.pids())
        held.terminate()
    number = opened["connections"]
    values = {"connections": number, "rss_before_bytes": before, "rss_after_bytes": after}
    if number:
        values["bytes_each"] = round((after - before) / number)
    arena.record(IDLE, values, opened.get("error", ""))


def first_delivery_seconds(target: Target) -> float:
    """Seconds from now until a consumer is given a message, which it does not acknowledge.

    Raises:
        BrokerError: none came in ten minutes.
    """
    started = time.monotonic()
    while True:
        try:
            _take_one(target)
            return time.monotonic() - started
        except BrokerError:
            if time.monotonic() - started > _FIRST_DELIVERY_SECONDS:
                raise
        time.sleep(0.005)


def _take_one(target: Target) -> None:
    link = Link(target)
    try:
        link.request(frames.subscribe(0, target.queue(0), "client-individual", 1), b"MESSAGE\n")
    finally:
        link.close()


def _restart(arena: Arena, scenario: str, queue: Target, stop: Callable[[], float]) -> None:
    peer = arena.peer
    values: dict[str, float] = {"stop_seconds": round(stop(), 3)}
    values["disk_bytes"] = disk_bytes(peer.data_directory)
    started = time.monotonic()
    error = ""
    values["log_in_seconds"] = round(peer.start(), 3)
    try:
        first_delivery_seconds(queue)
        values["first_delivery_seconds"] = round(time.monotonic() - started, 3)
    except BrokerError as none:
        error = str(none)
    values["rss_bytes"] = resident_bytes(peer.pids())
    arena.record(scenario, values, error)


def _kill(peer: Peer) -> float:
    peer.kill()
    return 0.0
