"""`segue queue publish`: one message, with what a client could ask for."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from typing import Any, Final

from segue.broker.cli.arguments import milliseconds, moment, whole
from segue.broker.cli.control_action import add_control_action
from segue.broker.cli.control_client import ControlClient
from segue.broker.cli.text import printable

__all__ = ["add_publish"]

_PRIORITY_MAX: Final = 255
_NEXT_STEPS: Final = {
    "limit-reached": "`segue queue why` says who has bounded a queue, `segue config show` has the other limits"
}
_OPTIONS: Final = ("delay_ms", "deliver_at_ms", "ttl_ms", "priority", "group", "dedup_id")


def add_publish(actions: Any) -> None:
    """Declare the sub-command."""
    text = "send one message; done when it is on disk"
    publish = add_control_action(actions, "publish", text, _publish, "QUEUE", next_steps=_NEXT_STEPS)
    publish.add_argument("body", metavar="BODY", nargs="?", help="the body; without it, standard input is read")
    publish.add_argument(
        "--header",
        metavar="NAME:VALUE",
        action="append",
        type=_header,
        default=[],
        help="a header of the message; may be given more than once",
    )
    publish.add_argument(
        "--non-persistent", action="store_true", help="the message need not survive a crash once it is queued"
    )
    when = publish.add_mutually_exclusive_group()
    text = "deliver it so much later: 1500, '90 s', '7 d'"
    when.add_argument("--delay", metavar="TIME", dest="delay_ms", type=milliseconds, help=text)
    text = "deliver it at a time: '2030-12-24 18:00' (UTC), milliseconds since 1970"
    when.add_argument("--deliver-at", metavar="TIME", dest="deliver_at_ms", type=moment, help=text)
    text = "how long it may live, from when it can be had"
    publish.add_argument("--ttl", metavar="TIME", dest="ttl_ms", type=milliseconds, help=text)
    text = "in a queue with priorities the highest goes first"
    publish.add_argument("--priority", metavar="N", type=whole(0, _PRIORITY_MAX), help=text)
    text = "messages of a group go to one consumer at a time"
    publish.add_argument("--group", metavar="NAME", help=text)
    text = "a message with the id of an earlier one adds nothing"
    publish.add_argument("--dedup-id", metavar="ID", help=text)


def _publish(arguments: argparse.Namespace, client: ControlClient) -> None:
    body = sys.stdin.buffer.read() if arguments.body is None else arguments.body.encode("utf-8", "surrogateescape")
    wanted = {
        "queue": arguments.queue,
        "body": base64.b64encode(body).decode(),
        "headers": arguments.header,
        "non_persistent": arguments.non_persistent,
    }
    asked_for = {name: getattr(arguments, name) for name in _OPTIONS}
    wanted |= {name: value for name, value in asked_for.items() if value is not None}
    done = client.ask("queue.publish", wanted)
    print(json.dumps(done, indent=2) if arguments.json else printable(_what_became_of(done)))


def _what_became_of(done: dict[str, Any]) -> str:
    queue = f"queue '{done['queue']}'"
    name = done.get("schedule_id") or (f"{done['log']}-{done['seq']}" if "seq" in done else "for later")
    if done.get("duplicate"):
        return f"message {name} of {queue} has this id: nothing was added"
    if "schedule_id" in done:
        return f"message {name} is on disk, and waits for its time to come into {queue}"
    return f"message {name} is on disk in {queue}"


def _header(text: str) -> list[str]:
    name, colon, value = text.partition(":")
    if not colon or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:VALUE")
    return [name, value.removeprefix(" ")]
