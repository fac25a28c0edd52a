"""Heart-beats: what CONNECT says about them, and what both sides then do (STOMP 1.2, "Heart-beating").

Pure arithmetic in milliseconds, without a clock. The rules for whoever has one: any octet counts as a beat, in both
directions; send within the interval after the last octet that was sent, not at the ticks of a timer, which can be twice
as far apart; call a peer dead only after RECEIVE_GRACE times its interval.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote

__all__ = ["RECEIVE_GRACE", "HeartBeat", "negotiate_heart_beat", "read_heart_beat"]

# "because of timing inaccuracies, the receiver SHOULD be tolerant": clients' timers and networks are late by up to one
# interval, and brokers that allow less cut off healthy clients.
RECEIVE_GRACE: Final = 2

_PAIR: Final = re.compile(r" *([0-9]{1,18}) *, *([0-9]{1,18}) *", re.ASCII)


@dataclass(frozen=True, slots=True)
class HeartBeat:
    """What was agreed; 0 is "not at all".

    Attributes:
        send_milliseconds: we send something at least so often.
        receive_milliseconds: the client sends something at least so often.
    """

    send_milliseconds: int
    receive_milliseconds: int


def read_heart_beat(text: str | None) -> tuple[int, int]:
    """Read the `heart-beat` header of CONNECT.

    Args:
        text: the header; None if there is none, which means "0,0".

    Returns:
        Milliseconds: what the client can guarantee to send at, and what it wants to receive at; 0 is "not at all".

    Raises:
        StompProtocolError: BAD_HEART_BEAT: it is not two numbers with a comma between them.
    """
    if text is None:
        return 0, 0
    match = _PAIR.fullmatch(text)
    if match is None:
        problem = f"'{quote(text)}' is not two numbers of milliseconds with a comma between them, such as 10000,10000"
        raise StompProtocolError(ErrorCode.BAD_HEART_BEAT, problem)
    return int(match[1]), int(match[2])


def negotiate_heart_beat(client: tuple[int, int], minimum: int, maximum: int) -> HeartBeat:
    """Agree on intervals.

    The specification takes the greater of what the sender guarantees and what the receiver wants; ours is `minimum` for
    both. We may send more often than we have to, so a longer interval than `maximum` becomes that one. A client that
    beats less often than that could not be told from a dead one in time, and is not expected to beat.

    Args:
        client: what it guarantees to send at, and what it wants to receive at, in milliseconds.
        minimum: the shortest interval, in milliseconds; what CONNECTED announces for both directions.
        maximum: the longest interval, in milliseconds.
    """
    sends, wants = client
    send = min(max(wants, minimum), maximum) if wants else 0
    receive = max(sends, minimum) if 0 < sends <= maximum else 0
    return HeartBeat(send, receive)
