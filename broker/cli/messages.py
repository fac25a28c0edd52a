"""A message as `segue queue browse` and `segue storage dump` print it."""

from __future__ import annotations

from typing import Any

from segue.broker.cli.text import count, printable, time_text

__all__ = ["message_text"]


def message_text(message: dict[str, Any]) -> str:
    """Number, headers and body, a line each; what could act on a terminal is escaped."""
    marks = [f"accepted {time_text(message['accepted_ms'])}"]
    if message["expires_ms"]:
        marks.append(f"expires {time_text(message['expires_ms'])}")
    if not message["persistent"]:
        marks.append("not persistent")
    if message.get("deliveries"):
        marks.append(f"delivered {message['deliveries']} times")
    lines = [f"{message['seq']}: {', '.join(marks)}, {count(message['body_bytes'])} bytes"]
    lines += [f"    {printable(name)}: {printable(value)}" for name, value in message["headers"]]
    lines += [f"    | {line}" for line in _body_lines(message)]
    return "\n".join(lines)


def _body_lines(message: dict[str, Any]) -> list[str]:
    if "body" in message:
        shown = [printable(line) for line in message["body"].split("\n")] if message["body"] else []
    else:
        shown = [f"{message['body_base64']} (base64)"]
    return [*shown, "(cut here)"] if message["body_cut"] else shown
