"""What travels: frames as octets. Sans-IO; what is unusual in a frame is for wsproto to judge (reader.py).

A frame is: FIN, three reserved bits, the opcode (4 bits); the mask bit, the length (7 bits; 126: the next 16 bits,
127: the next 64); the mask (32 bits, from clients only); the payload (RFC 6455 §5.2).
"""

from __future__ import annotations

import codecs
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
    "open_messages",
    "read_head",
    "unmask",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FIN: Final = 0x80
_MASKED: Final = 0x80
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127
_OPCODE: Final = 0x0F
_MASK_BYTES: Final = 4
_SHORT_HEAD_BYTES: Final = 2 + _MASK_BYTES
_TRANSLATED_BYTES_MIN: Final = 400
"""Below this, two large numbers are quicker: 0.5 us for 64 octets, against 1.1; for 10,000 it is 25 against 12."""
_DECODED_BYTES: Final = 64 << 10
_new_utf8_decoder: Final = codecs.getincrementaldecoder("utf-8")
_XOR_TABLES: Final = [bytes(octet ^ key for octet in range(256)) for key in range(256)]


class FrameHead(NamedTuple):
    """What stands before a payload.

    Attributes:
        opcode: what the frame is.
        size: octets before the payload.
        payload_bytes: how long the payload is, as the head says.
    """

    opcode: int
    size: int
    payload_bytes: int


def read_head(data: bytes, pos: int) -> FrameHead | None:
    """The head of the frame that begins there; None if it has not come whole."""
    available = len(data) - pos
    if available < 2:
        return None
    first, second = data[pos], data[pos + 1]
    length = second & ~_MASKED
    size = 2
    if length >= _LENGTH_16:
        size = 4 if length == _LENGTH_16 else 10
        length = int.from_bytes(data[pos + 2 : pos + size], "big")
    if second & _MASKED:
        size += _MASK_BYTES
    return FrameHead(first & _OPCODE, size, length) if available >= size else None


def open_messages(data: bytes, pos: int, count_max: int, bytes_max: int) -> tuple[list[bytes], int]:
    """Open the messages that stand there, each whole in one frame and with nothing unusual about it.

    Nearly all that clients send is of this kind, so it is one loop. It ends before the first frame of another kind,
    valid or not; messages of 64 KiB and more are of another kind.

    Args:
        data: what has come.
        pos: where a frame begins, and a message.
        count_max: how many to open.
        bytes_max: the largest; what is larger is of another kind, too.

    Returns:
        Their payloads, and where what follows begins.
    """
    opened: list[bytes] = []
    end = len(data)
    while len(opened) < count_max and pos + _SHORT_HEAD_BYTES <= end:
        first = data[pos]
        length = data[pos + 1] - _MASKED
        start = pos + _SHORT_HEAD_BYTES
        if length == _LENGTH_16:
            length = int.from_bytes(data[pos + 2 : pos + 4], "big")
            start += 2
            if length < _LENGTH_16:
                break
        elif not 0 <= length < _LENGTH_16:
            break
        stop = start + length
        if stop > end or length > bytes_max:
            break
        payload = unmask(data[start:stop], data[start - _MASK_BYTES : start])
        if first != _FIN | BINARY and not (first == _FIN | TEXT and is_utf8(payload)):
            break
        opened.append(payload)
        pos = stop
    return opened, pos


def unmask(payload: bytes, mask: bytes) -> bytes:
    """The payload as it was before its sender masked it."""
    size = len(payload)
    if size < _TRANSLATED_BYTES_MIN:
        key = (mask * (size // _MASK_BYTES + 1))[:size]
        return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")
    plain = bytearray(payload)
    for at in range(_MASK_BYTES):
        plain[at::_MASK_BYTES] = plain[at::_MASK_BYTES].translate(_XOR_TABLES[mask[at]])
    return bytes(plain)


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
    # In pieces: 16 MiB would take up to 64 when decoded.
    decode = _new_utf8_decoder().decode
    size = len(message)
    try:
        for start in range(0, size, _DECODED_BYTES):
            decode(message[start : start + _DECODED_BYTES], start + _DECODED_BYTES >= size)
    except UnicodeDecodeError:
        return False
    return True
