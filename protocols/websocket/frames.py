"""What travels: frames as octets. Sans-IO; what is unusual in a frame is for wsproto to judge (reader.py).

A frame is: FIN, three reserved bits, the opcode (4 bits); the mask bit, the length (7 bits; 126: the next 16 bits,
127: the next 64); the mask (32 bits, from clients only); the payload (RFC 6455 §5.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "FrameHead",
    "frame_control",
    "frame_messages",
    "is_utf8",
    "read_head",
    "unmask",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FIN: Final = 0x80
_MASKED: Final = 0x80
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127
_MASK_BYTES: Final = 4


class FrameHead(NamedTuple):
    """What stands before a payload.

    Attributes:
        first: the first octet: FIN, reserved bits and opcode.
        masked: the payload is masked.
        size: octets before the payload.
        payload_bytes: how long the payload is, as the head says.
    """

    first: int
    masked: bool
    size: int
    payload_bytes: int

    @property
    def opcode(self) -> int:
        """What the frame is."""
        return self.first & 0x0F

    @property
    def is_whole_message(self) -> bool:
        """True for a data frame that is a message by itself, with nothing unusual about it that its head shows."""
        return (
            self.first in (_FIN | TEXT, _FIN | BINARY) and self.masked and self.size == _head_bytes(self.payload_bytes)
        )


def read_head(data: bytes, pos: int) -> FrameHead | None:
    """The head of the frame that begins there; None if it has not come whole."""
    available = len(data) - pos
    if available < 2:
        return None
    first, second = data[pos], data[pos + 1]
    masked = second >= _MASKED
    length = second & ~_MASKED
    size = 2
    if length >= _LENGTH_16:
        size = 4 if length == _LENGTH_16 else 10
        length = int.from_bytes(data[pos + 2 : pos + size], "big")
    if masked:
        size += _MASK_BYTES
    return FrameHead(first, masked, size, length) if available >= size else None


def unmask(payload: bytes, mask: bytes) -> bytes:
    """The payload as it was before its sender masked it."""
    size = len(payload)
    # Two large numbers: a loop in C.
    key = mask * (size // _MASK_BYTES + 1)
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key[:size], "little")).to_bytes(size, "little")


def frame_messages(messages: Sequence[bytes]) -> list[bytes]:
    """Each of these as a message of one frame, not masked: what is UTF-8 as text, everything else as binary.

    Returns:
        Heads and payloads in turn, to be joined.
    """
    framed: list[bytes] = []
    for message in messages:
        size = len(message)
        first = _FIN | (TEXT if is_utf8(message) else BINARY)
        if size < _LENGTH_16:
            framed.append(bytes((first, size)))
        elif size < 1 << 16:
            framed.append(bytes((first, _LENGTH_16)) + size.to_bytes(2, "big"))
        else:
            framed.append(bytes((first, _LENGTH_64)) + size.to_bytes(8, "big"))
        framed.append(message)
    return framed


def frame_control(opcode: int, payload: bytes) -> bytes:
    """A control frame; what does not fit into one (125 octets) is cut off."""
    payload = payload[: _LENGTH_16 - 1]
    return bytes((_FIN | opcode, len(payload))) + payload


def is_utf8(message: bytes) -> bool:
    """True for what may be sent as text."""
    if message.isascii():
        return True
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True


def _head_bytes(payload_bytes: int) -> int:
    """The size of the shortest head of a masked frame: a longer one is forbidden."""
    return _MASK_BYTES + (2 if payload_bytes < _LENGTH_16 else 4 if payload_bytes < 1 << 16 else 10)
