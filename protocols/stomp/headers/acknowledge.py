"""What the headers of ACK and NACK ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.headers.schedule import read_delay
from segue.protocols.stomp.headers.values import read_boolean, required

__all__ = ["AckOptions", "read_ack"]


@dataclass(frozen=True, slots=True)
class AckOptions:
    """Which message an ACK or NACK is about: in 1.2 by `ack_id`, before that by `message_id`.

    Attributes:
        ack_id: the `ack` header of the MESSAGE.
        message_id: its `message-id` header.
        subscription: of the MESSAGE; None only in 1.0.
        transaction: the transaction that it belongs to.
        requeue: of a NACK: the message returns to its place; else it is dead-lettered or discarded.
        delay_ms: of a NACK: it comes again so much later; 0 for at once, None for as the queue says.
    """

    ack_id: str | None
    message_id: str | None
    subscription: str | None
    transaction: str | None
    requeue: bool
    delay_ms: int | None = None


def read_ack(headers: Mapping[str, str], version: Version, command: str) -> AckOptions:
    """Read an ACK or NACK frame.

    Args:
        headers: decoded.
        version: decides which headers name the message.
        command: ACK or NACK.

    Raises:
        StompProtocolError: MISSING_HEADER or INVALID_HEADER.
    """
    is_latest = version is Version.V1_2
    return AckOptions(
        ack_id=required(headers, "id", command) if is_latest else None,
        message_id=None if is_latest else required(headers, "message-id", command),
        subscription=(required if version is Version.V1_1 else _optional)(headers, "subscription", command),
        transaction=headers.get("transaction"),
        requeue=read_boolean(headers, "requeue") is not False,
        delay_ms=read_delay(headers) if command == "NACK" else None,
    )


def _optional(headers: Mapping[str, str], name: str, _command: str) -> str | None:
    return headers.get(name)
