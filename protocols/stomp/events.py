"""What comes out of a parser: one event for each frame.

Plain tuples: an object with attributes costs three times as much to make, and there is one for each message.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from segue.protocols.stomp.body import LargeBody
from segue.protocols.stomp.errors import StompProtocolError
from segue.protocols.stomp.frames import Frame, SendHead
from segue.protocols.stomp.varying_head import VaryingHead

__all__ = [
    "ACK",
    "ERROR",
    "FRAME",
    "LARGE_SEND",
    "SEND",
    "AckEvent",
    "ErrorEvent",
    "Event",
    "FrameEvent",
    "LargeSendEvent",
    "SendEvent",
]

SEND: Final = 0
ACK: Final = 1
FRAME: Final = 2
ERROR: Final = 3
LARGE_SEND: Final = 4

SendEvent: TypeAlias = tuple[Literal[0], SendHead | VaryingHead, bytes | None, bytes]
"""(SEND, head, receipt, body): the receipt as it came on the wire, to be echoed; None if none is wanted."""
AckEvent: TypeAlias = tuple[Literal[1], bytes, bytes | None]
"""(ACK, ack id, receipt): an ACK of STOMP 1.2 with `id`, which is not long, and at most `receipt`; every other ACK is a
FrameEvent."""
FrameEvent: TypeAlias = tuple[Literal[2], Frame]
ErrorEvent: TypeAlias = tuple[Literal[3], StompProtocolError]
"""Always the last event: from here on the parser ignores what it is given."""
LargeSendEvent: TypeAlias = tuple[Literal[4], SendHead, bytes | None, LargeBody]
"""As a SendEvent, of a body that came in many reads."""
Event: TypeAlias = SendEvent | AckEvent | FrameEvent | ErrorEvent | LargeSendEvent
