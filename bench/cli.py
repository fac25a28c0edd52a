"""`segue bench`: measure any STOMP broker, or server of HTTP, from the command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from segue.bench.connections import open_connections
from segue.bench.deep import measure_deep_queue
from segue.bench.frames import BODY_BYTES_MIN
from segue.bench.header_pattern import PatternError, check_pattern
from segue.bench.ledger import Ledger
from segue.bench.progress import ProgressBar
from segue.bench.requests import HttpLoad, request_wire, run_requests
from segue.bench.result import Result
from segue.bench.run import Watcher, run_workload
from segue.bench.table import describe, describe_blocks, describe_http
from segue.bench.target import Target
from segue.bench.workload import Workload, WorkloadError
from segue.broker.cli.arguments import amount, whole
from segue.broker.exit_codes import ExitCode

__all__ = ["add_arguments", "run"]

_PORT_MAX = 65_535
_PASSCODE_VARIABLE = "SEGUE_BENCH_PASSCODE"

Command = Callable[[argparse.Namespace], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the scenarios of `segue bench` to its parser, as sub-commands."""
    parser.set_defaults(run=run)
    scenarios = parser.add_subparsers(dest="scenario", required=True, metavar="SCENARIO")
    for name, text, command, options in _SCENARIOS:
        scenario = scenarios.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        scenario.set_defaults(bench_command=command)
        scenario.add_argument("--json", action="store_true", help="one JSON object instead of a table")
        for option in options:
            option(scenario)


def run(args: argparse.Namespace) -> int:
    """Run the scenario that was asked for; return the exit code.

    0 when all went through; 1 when the broker failed, or a message was missing, came twice or out of order; 130 when
    interrupted.

    Raises:
        WorkloadError: the options do not go together.
    """
    command: Command = args.bench_command
    try:
        return command(args)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


# Scenarios.


def _publish(args: argparse.Namespace) -> int:
    return _measure(args, Workload(producers=args.producers, **_publishing(args)))


def _consume(args: argparse.Namespace) -> int:
    return _measure(args, Workload(consumers=args.consumers, idle_seconds=args.idle_seconds, **_consuming(args)))


def _end_to_end(args: argparse.Namespace) -> int:
    ends = {"producers": args.producers, "consumers": args.consumers, "backlog_max": args.backlog}
    ends |= {"over_depth": args.over_depth, "delay_ms": args.delay}
    return _measure(args, Workload(**ends, **_publishing(args), prefetch=args.prefetch, ack=args.ack))


def _latency(args: argparse.Namespace) -> int:
    ends = {"producers": args.producers, "consumers": args.consumers, "rate": args.rate, "delay_ms": args.delay}
    return _measure(args, Workload(**ends, **_publishing(args), prefetch=args.prefetch, ack=args.ack))


def _measure(args: argparse.Namespace, workload: Workload) -> int:
    bar = ProgressBar(sys.stderr, args.scenario)
    result = run_workload(_target(args), workload, _watcher(bar, workload.messages, workload.seconds))
    bar.clear()
    if args.json:
        _print_json(args, workload=asdict(workload), **result.as_dict())
    else:
        print(describe(result))
        if result.blocks:
            print("\n" + describe_blocks(result.blocks))
    return _exit_code(result)


def _deep(args: argparse.Namespace) -> int:
    bar = ProgressBar(sys.stderr, args.scenario)
    workload = Workload(producers=1, **(_publishing(args) | {"seconds": None}), prefetch=args.prefetch)
    deep = measure_deep_queue(
        _target(args), workload, not args.leave, lambda name, count: _watcher(ProgressBar(sys.stderr, name), count)
    )
    bar.clear()
    if args.json:
        _print_json(args, workload=asdict(workload), **{name: result.as_dict() for name, result in deep.phases})
    for name, result in deep.phases if not args.json else ():
        print(f"{name}\n{describe(result)}" + (f"\n\n{describe_blocks(result.blocks)}" if result.blocks else "") + "\n")
    return max(_exit_code(result) for _, result in deep.phases)


def _connections(args: argparse.Namespace) -> int:
    bar = ProgressBar(sys.stderr, args.scenario)
    opened = open_connections(_target(args), args.connections, lambda count: bar.show(count, args.connections))
    bar.clear()
    count = len(opened.links)
    if args.json:
        _print_json(args, connections=count, seconds=round(opened.seconds, 3), error=opened.error)
    else:
        print(
            f"{count:,} connections in {opened.seconds:.1f} s, held for {args.hold_seconds:g} s {opened.error}".strip()
        )
    # Whoever watches the broker's memory from outside starts now.
    sys.stdout.flush()
    time.sleep(args.hold_seconds)
    opened.close()
    return ExitCode.REFUSED if opened.error else ExitCode.OK


def _http(args: argparse.Namespace) -> int:
    host, port = _place(args.server, "--server")
    wire = request_wire(args.method, args.path, args.server, args.header, args.body.encode())
    load = HttpLoad(host, port, wire, args.connections, args.window, args.seconds)
    result = run_requests(load)
    if args.json:
        print(json.dumps({"scenario": args.scenario, "rate": round(result.rate, 1), **asdict(result)}))
    else:
        print(describe_http(result))
    if result.error == "interrupted":
        return ExitCode.INTERRUPTED
    return ExitCode.REFUSED if result.error or result.refused else ExitCode.OK


def _exit_code(result: Result) -> int:
    if result.error == "interrupted":
        return ExitCode.INTERRUPTED
    return ExitCode.OK if result.faultless else ExitCode.REFUSED


def _watcher(bar: ProgressBar, messages: int | None, seconds: float | None = None) -> Watcher:
    def watch(ledger: Ledger) -> None:
        done = ledger.received or ledger.confirmed
        note = f"{done:,} messages"
        if messages is not None:
            bar.show(done, messages, note)
        elif seconds is not None:
            bar.show((time.monotonic_ns() - ledger.started) / 1e9, seconds, note)

    return watch


def _print_json(args: argparse.Namespace, **figures: Any) -> None:
    target = {name: value for name, value in asdict(_target(args)).items() if name != "passcode"}
    print(json.dumps({"scenario": args.scenario, "target": target, **figures}))


# Options. Each function adds one that several scenarios have.


def _add_target(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--broker", default="127.0.0.1:61613", metavar="HOST:PORT", help="where the broker is (%(default)s)")
    add("--login", default="guest", metavar="NAME", help="user name (%(default)s)")
    add("--virtual-host", default="/", metavar="NAME", help="tenant (%(default)s)")
    text = "queue (%(default)s); -0, -1 ... are put behind it for several"
    add("--destination", default="/queue/segue-bench", metavar="QUEUE", help=text)
    add("--queues", type=whole(1), default=1, metavar="N", help="how many queues (%(default)s)")
    text = "put on every SEND; {}, {number} and {1000} differ by message"
    add("--send-header", action="append", type=_header, default=[], metavar="NAME:VALUE", help=text)
    text = "put on every SUBSCRIBE; {1000} differs by consumer"
    add("--subscribe-header", action="append", type=_header, default=[], metavar="NAME:VALUE", help=text)
    parser.epilog = (
        f"The passcode is taken from the environment variable {_PASSCODE_VARIABLE}; without it, it is guest."
    )


def _add_producers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--producers", type=whole(1), default=1, metavar="N", help="publishing connections (%(default)s)"
    )


def _add_consumers(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--consumers", type=whole(1), default=1, metavar="N", help="subscribed connections (%(default)s)")
    _add_prefetch(parser, "a subscription")
    modes = ("auto", "client", "client-individual")
    add("--ack", choices=modes, default="client-individual", help="mode of the subscriptions (%(default)s)")


def _add_prefetch(parser: argparse.ArgumentParser, where: str) -> None:
    text = f"unacknowledged messages {where} (%(default)s)"
    parser.add_argument("--prefetch", type=whole(1), default=100, metavar="N", help=text)


def _add_messages(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--size", type=whole(BODY_BYTES_MIN), default=256, metavar="OCTETS", help="of a body (%(default)s)")
    add("--window", type=whole(1), default=1000, metavar="N", help="unconfirmed messages a producer (%(default)s)")


def _add_length(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--messages", type=whole(1), metavar="N", help="how many, over all connections")
    add("--seconds", type=amount("seconds"), metavar="S", help="how long; 5 when neither this nor --messages is given")


def _add_block(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--block", type=whole(0), default=0, metavar="N", help="rate and latency of every N messages")


def _add_idle(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--messages", type=whole(1), metavar="N", help="end after so many")
    add("--seconds", type=amount("seconds"), metavar="S", help="end after so long")
    add(
        "--idle-seconds",
        type=amount("seconds"),
        default=3.0,
        metavar="S",
        help="end when nothing came for so long (%(default)s)",
    )


def _add_backlog(parser: argparse.ArgumentParser) -> None:
    text = "how far producers may be ahead of consumers (%(default)s)"
    parser.add_argument("--backlog", type=whole(1), default=5000, metavar="N", help=text)
    text = "messages wait there already: take as many as are sent, whichever they are"
    parser.add_argument("--over-depth", action="store_true", help=text)


def _add_delay(parser: argparse.ArgumentParser) -> None:
    text = "ask for delivery so much later; latency counts from then"
    parser.add_argument("--delay", type=whole(0), default=0, metavar="MS", help=text)


def _add_rate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rate", type=amount("messages a second"), default=1000.0, metavar="N", help="messages a second (%(default)s)"
    )


def _add_depth(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--messages", type=whole(1), default=1_000_000, metavar="N", help="how deep (%(default)s)")
    add("--block", type=whole(1), default=250_000, metavar="N", help="messages a row of the table (%(default)s)")
    _add_prefetch(parser, "while draining")
    add("--leave", action="store_true", help="leave the queue full")


def _add_http(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--server", default="127.0.0.1:8080", metavar="HOST:PORT", help="where it is (%(default)s)")
    add("--method", default="GET", help="of the requests (%(default)s)")
    add("--path", default="/version", help="path and query of the requests (%(default)s)")
    add("--header", action="append", type=_plain_header, default=[], metavar="NAME:VALUE", help="of the requests")
    add("--body", default="", metavar="TEXT", help="of the requests")
    add("--connections", type=whole(1), default=1, metavar="N", help="that are kept open (%(default)s)")
    add("--window", type=whole(1), default=1, metavar="N", help="unanswered requests a connection (%(default)s)")
    add("--seconds", type=amount("seconds"), default=5.0, metavar="S", help="how long (%(default)s)")


def _add_connections(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connections", type=whole(1), default=1000, metavar="N", help="how many (%(default)s)")
    parser.add_argument(
        "--hold-seconds",
        type=amount("seconds", zero=True),
        default=10.0,
        metavar="S",
        help="for how long (%(default)s)",
    )


_SCENARIOS: list[tuple[str, str, Command, tuple[Callable[[argparse.ArgumentParser], None], ...]]] = [
    (
        "publish",
        "publish, with a receipt for every message",
        _publish,
        (_add_target, _add_producers, _add_messages, _add_length, _add_block),
    ),
    (
        "consume",
        "take messages off, check their order, acknowledge each",
        _consume,
        (_add_target, _add_consumers, _add_idle, _add_block),
    ),
    (
        "e2e",
        "producers and consumers at once",
        _end_to_end,
        (_add_target, _add_producers, _add_consumers, _add_messages, _add_length, _add_backlog, _add_delay),
    ),
    (
        "latency",
        "a fixed rate; latency from when a message was due",
        _latency,
        (_add_target, _add_rate, _add_producers, _add_consumers, _add_messages, _add_length, _add_delay),
    ),
    ("deep", "fill a queue, publish behind what waits, drain it", _deep, (_add_target, _add_messages, _add_depth)),
    ("connections", "open idle connections and hold them", _connections, (_add_target, _add_connections)),
    ("http", "send the same request over HTTP again and again", _http, (_add_http,)),
]


# From options to what is measured.


def _target(args: argparse.Namespace) -> Target:
    host, port = _place(args.broker, "--broker")
    return Target(
        host=host,
        port=port,
        login=args.login,
        passcode=os.environ.get(_PASSCODE_VARIABLE, "guest"),
        virtual_host=args.virtual_host,
        destination=args.destination,
        queues=args.queues,
        send_headers=tuple(args.send_header),
        subscribe_headers=tuple(args.subscribe_header),
    )


def _place(text: str, option: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= _PORT_MAX:
        raise WorkloadError(f"{option}: HOST:PORT is wanted, not {text!r}")
    return host.strip("[]"), int(port)


def _publishing(args: argparse.Namespace) -> dict[str, Any]:
    seconds = getattr(args, "seconds", None)
    endless = seconds is None and args.messages is None
    return {
        "body_bytes": args.size,
        "window": args.window,
        "messages": args.messages,
        "seconds": 5.0 if endless else seconds,
        "block": getattr(args, "block", 0),
    }


def _consuming(args: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(args, name) for name in ("prefetch", "ack", "messages", "seconds", "block")}


def _plain_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not name or not colon:
        raise argparse.ArgumentTypeError(f"NAME:VALUE is wanted, not {text!r}")
    return name, value


def _header(text: str) -> tuple[str, str]:
    name, value = _plain_header(text)
    try:
        check_pattern(value)
    except PatternError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    return name, value
